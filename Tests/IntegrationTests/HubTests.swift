import Testing

extension GuestTests {
    @Suite("Two guests on a hub") struct HubTests {
        private func guest(_ workshop: Workshop, _ name: String, address: String) throws -> GuestShell {
            let file = try workshop.configuration(name: name)
            let guest = try GuestShell(
                workshop, prompt: "/ # ", seconds: 200, arguments: ["--timeout=600", file, "vif=[\"bridge=hub:\(workshop.path)/hub\"]"])
            let up = try guest.run("ifconfig eth0 \(address) netmask 255.255.255.0 up")
            #expect(up.status == 0, "\(up.text)")
            return guest
        }

        @Test("They answer each other's pings, and what one sends arrives whole at the other")
        func talk() throws {
            let workshop = try Workshop()
            let first = try guest(workshop, "first", address: "10.9.0.1")
            let second = try guest(workshop, "second", address: "10.9.0.2")
            let ping = try first.run("ping -c 3 -w 20 10.9.0.2")
            #expect(ping.text.contains(" 0% packet loss"), "\(ping.text)")

            let sent = try second.run("head -c 3000000 /dev/urandom >/tmp/sent; httpd -p 5000 -h /tmp; sha256sum </tmp/sent")
            let fetched = try first.run("wget -q -O /tmp/received http://10.9.0.2:5000/sent; wc -c </tmp/received")
            #expect(fetched.word == "3000000", "\(fetched.text)")
            #expect(try first.run("sha256sum </tmp/received").text == sent.text)

            for guest in [first, second] {
                guest.type("poweroff -f\n")
                #expect(try guest.session.finish(seconds: 60).code == 0)
            }
            #expect(workshop.remains().isEmpty)
        }
    }
}
