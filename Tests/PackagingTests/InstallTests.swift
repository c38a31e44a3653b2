import TestSupport
import Testing

@Suite("Installation") struct InstallTests {
    let directory = TemporaryDirectory()

    private func install(_ variables: String = "") -> (output: String, status: Int32) {
        shell(
            "cd \(TestFiles.inRepository("")) && \(variables) DESTDIR=\(directory.path)/root PREFIX=/usr BINARIES=\(BuiltProduct.directory) scripts/install"
        )
    }

    @Test("puts everything in its place") func files() {
        let result = install("XL=1")
        #expect(result.output == "" && result.status == 0)
        let root = directory.path + "/root/usr/"
        let places = [
            "bin/martlet", "bin/martlet-guest", "bin/xl", "share/man/man1/martlet.1", "share/bash-completion/completions/martlet",
            "share/bash-completion/completions/xl", "share/zsh/site-functions/_martlet", "share/zsh/site-functions/_xl",
            "share/fish/vendor_completions.d/martlet.fish", "lib/systemd/system/martlet@.service", "lib/systemd/user/martlet@.service",
            "lib/systemd/system/martlet-autostart.service", "libexec/martlet-autostart",
        ]
        for place in places { #expect(TestFiles.exists(root + place), "\(place)") }
        #expect(shell("\(root)bin/xl help").output.contains("Usage xl "))
        #expect(shell("grep -rl '@bindir@\\|@libexecdir@' \(root)lib \(root)libexec").output == "")
        #expect(shell("sh -n \(root)libexec/martlet-autostart").status == 0)
    }

    @Test("without XL=1 there is no xl, which may be Xen's own") func noXL() {
        #expect(install().status == 0)
        let root = directory.path + "/root/usr/"
        #expect(!TestFiles.exists(root + "bin/xl") && !TestFiles.exists(root + "share/bash-completion/completions/xl"))
    }

    @Test(
        "the units are faultless for systemd", .enabled(if: hasProgram("systemd-analyze"), "systemd is not installed"),
        arguments: ["martlet@.service", "martlet-autostart.service"])
    func units(name: String) {
        #expect(install().status == 0)
        // systemd looks whether the programs are there.
        let root = directory.path + "/root/usr"
        for manager in ["system", "user"] {
            let unit = "\(root)/lib/systemd/\(manager)/\(name)"
            #expect(shell("sed -i 's|=/usr/|=\(root)/|' \(unit)").status == 0)
            let file = name.contains("@") ? unit.split(separator: "@").joined(separator: "@web") : unit
            if file != "/" + unit.dropFirst() { #expect(shell("cp \(unit) \(file.hasPrefix("/") ? file : "/" + file)").status == 0) }
            let result = shell(
                "systemd-analyze \(manager == "user" ? "--user" : "") --man=no verify \(file.hasPrefix("/") ? file : "/" + file)")
            // Other units of the machine may have faults of their own.
            #expect(result.output.split(separator: "\n").filter { $0.contains("martlet") } == [], "\(manager)")
        }
    }
}

/// What the unit `martlet-autostart` runs.
@Suite("Guests that start by themselves") struct AutostartTests {
    let directory = TemporaryDirectory()

    private func autostart(_ verb: String, stopSeconds: Int = 30) -> (output: String, status: Int32) {
        shell(
            """
            export MARTLET_RUNTIME_DIR=\(directory.path)/run MARTLET_LOG_DIR=\(directory.path)/log
            export MARTLET_GUEST=\(BuiltProduct.path("fake-guest")) MARTLET=\(BuiltProduct.path("martlet")) MARTLET_STOP_SECONDS=\(stopSeconds)
            \(TestFiles.inRepository("packaging/martlet-autostart")) \(verb) \(directory.path)/auto
            """)
    }

    @Test("every configuration is started once, by its file's name, and all are stopped") func startAndStop() {
        _ = shell("mkdir \(directory.path)/auto")
        directory.write("kernel", "not looked at by the stand-in")
        directory.write("elsewhere.cfg", "type='pvh'\nname='other'\nkernel='\(directory.path)/kernel'\nmemory=64\n")
        directory.write("auto/one.cfg", "type='pvh'\nkernel='\(directory.path)/kernel'\nmemory=64\n")
        directory.write("auto/broken.cfg", "type=\n")
        #expect(shell("ln -s ../elsewhere.cfg \(directory.path)/auto/two.cfg").status == 0)
        let start = autostart("start")
        #expect(start.status == 1 && start.output.contains("broken did not start"), "\(start)")
        #expect(autostart("status").output == "broken: not running\none: running\ntwo: running\n")
        #expect(!autostart("start").output.contains("one"))
        let stop = autostart("stop", stopSeconds: 5)
        #expect(stop.status == 0, "\(stop)")
        #expect(autostart("status").output == "broken: not running\none: not running\ntwo: not running\n")
    }

    @Test("an empty directory is no error, a wrong word is") func nothing() {
        #expect(autostart("start").status == 0)
        #expect(autostart("stop").status == 0)
        #expect(autostart("restart").status == 2)
    }
}
