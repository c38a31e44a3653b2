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

            second.type("nc -l -p 5000 >/tmp/received & nc=$!\n")
            _ = try second.run("for try in $(seq 50); do netstat -ltn | grep -q :5000 && break; sleep 0.1; done")
            _ = try first.run("head -c 3000000 /dev/urandom >/tmp/sent; nc -w 5 10.9.0.2 5000 </tmp/sent")
            let received = try second.run("wait $nc; sha256sum </tmp/received; wc -c </tmp/received")
            #expect(try received.text == first.run("sha256sum </tmp/sent; wc -c </tmp/sent").text)
            #expect(received.lines.last == "3000000")

            for guest in [first, second] {
                guest.type("poweroff -f\n")
                #expect(try guest.session.finish(seconds: 60).code == 0)
            }
            #expect(workshop.remains().isEmpty)
        }
    }
}
