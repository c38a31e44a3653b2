import Testing

extension GuestTests {
    @Suite("A guest's balloon") struct BalloonTests {
        /// What the toolstack says the guest owns, in MiB.
        private func owned(_ workshop: Workshop) throws -> Int {
            let list = try workshop.martlet("list", "linux", seconds: 20)
            let fields = list.lines.last?.split(whereSeparator: \.isWhitespace) ?? []
            return try #require(fields.count > 2 ? Int(fields[2]) : nil, "\(list.output)\(list.errors)")
        }

        private func total(_ shell: GuestShell) throws -> Int {
            let answer = try shell.run("grep MemTotal /proc/meminfo")
            return try #require(answer.text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.first, "\(answer.text)") / 1024
        }

        /// Sets a target and waits for the balloon to reach it.
        private func set(_ mebibytes: Int, _ workshop: Workshop, _ shell: GuestShell) throws {
            let run = try workshop.martlet("mem-set", "linux", "\(mebibytes)", seconds: 30)
            #expect(run.code == 0, "\(run.errors)")
            var owned = 0
            for _ in 0..<60 {
                owned = try self.owned(workshop)
                if abs(owned - mebibytes) <= 1 { break }
                _ = try shell.run("sleep 1")
            }
            #expect(abs(owned - mebibytes) <= 1, "the guest owns \(owned) MiB, not \(mebibytes)")
        }

        @Test("With memory below maxmem it boots, owns its memory, and follows mem-set down and up")
        func maxmem() throws {
            let workshop = try Workshop()
            let shell = try GuestShell(
                workshop, prompt: "/ # ", seconds: 300, arguments: ["--timeout=900", try workshop.configuration(), "maxmem=512"])
            #expect(try owned(workshop) == 256)
            let atFirst = try total(shell)
            #expect((150...256).contains(atFirst), "MemTotal is \(atFirst) MiB")
            // What the balloon has left it, it can use.
            let filling = "dd if=/dev/zero of=/m/a bs=1M count=80 && rm /m/a"
            let filled = try shell.run("mkdir -p /m && mount -t tmpfs -o size=100m none /m && \(filling)")
            #expect(filled.status == 0, "\(filled.text)")
            for target in [180, 400, 512, 256] {
                try set(target, workshop, shell)
                #expect(abs(try total(shell) - atFirst - (target - 256)) <= 12)
            }
            #expect(try shell.run(filling).status == 0)
            #expect(try shell.run("echo $((6 * 7))").word == "42")
        }
    }
}
