import Testing
import XenStore

@Suite("Watches") struct WatchTests {
    @Test("a watch fires at once, for its node and below, in the spelling of its path") func spelling() {
        var script = Script.withGuestHome()
        #expect(script.ask("d1", .watch, "dir|rel|") == "OK|")
        #expect(script.ask("d1", .watch, "/local/domain/1/dir|abs|") == "OK|")
        #expect(script.events("d1") == ["dir rel", "/local/domain/1/dir abs"])
        _ = script.ask("d1", .write, "dir/x|1")
        #expect(script.events("d1") == ["dir/x rel", "/local/domain/1/dir/x abs"])
        _ = script.ask("d1", .write, "dir|1")
        #expect(script.events("d1") == ["dir rel", "/local/domain/1/dir abs"])
        _ = script.ask("d1", .write, "dirs|1")
        _ = script.ask("d1", .write, "other|1")
        #expect(script.events("d1") == [])
    }

    @Test("the removal of a parent reports the watched path itself") func removal() {
        var script = Script.withGuestHome()
        _ = script.ask("d1", .write, "a/b/c|1")
        _ = script.ask("d1", .watch, "a/b/c|deep|")
        _ = script.ask("d1", .watch, "a|top|")
        _ = script.events("d1")
        _ = script.ask("d0", .remove, "/local/domain/1/a|")
        #expect(script.events("d1") == ["a top", "a/b/c deep"])
        _ = script.ask("d0", .remove, "/local/domain/1/a|")
        #expect(script.events("d1") == [])
    }

    @Test(
        "a depth limits how far below events come from",
        arguments: [
            (0, ["a w"]), (1, ["a w", "a/b w"]), (2, ["a w", "a/b w", "a/b/c w"]),
        ])
    func depth(depth: Int, expected: [String]) {
        var script = Script.withGuestHome()
        _ = script.ask("d1", .watch, "a|w|\(depth)|")
        _ = script.events("d1")
        for path in ["a", "a/b", "a/b/c"] { _ = script.ask("d1", .write, path + "|") }
        #expect(script.events("d1") == expected)
    }

    @Test("same path and token twice is an error, and so is unwatching what is not watched") func duplicates() {
        var script = Script.withGuestHome()
        #expect(script.ask("d1", .watch, "a|t|") == "OK|")
        #expect(script.ask("d1", .watch, "a|t|") == "EEXIST|")
        #expect(script.ask("d1", .watch, "a|u|") == "OK|")
        #expect(script.ask("d1b", .watch, "a|t|") == "OK|")
        #expect(script.ask("d1", .unwatch, "a|t|") == "OK|")
        #expect(script.ask("d1", .unwatch, "a|t|") == "ENOENT|")
        _ = script.events("d1")
        _ = script.events("d1b")
        _ = script.ask("d1", .write, "a|1")
        #expect(script.events("d1") == ["a u"])
        #expect(script.events("d1b") == ["a t"])
    }

    @Test("what a guest may not read it does not hear of") func permissions() {
        var script = Script.withGuestHome()
        _ = script.ask("d0", .write, "/secret|")
        for path in ["/secret", "/", "@introduceDomain", "@releaseDomain"] {
            #expect(script.ask("d1", .watch, path + "|w|") == "OK|")
            _ = script.ask("d0", .watch, path + "|w|")
        }
        _ = script.events("d1")
        _ = script.events("d0")
        _ = script.ask("d0", .write, "/secret/x|")
        _ = script.ask("d0", .introduce, "9|1|1|")
        _ = script.ask("d0", .release, "9|")
        #expect(script.events("d1") == [])
        #expect(
            script.events("d0") == [
                "/secret/x w", "/secret/x w", "@introduceDomain w", "@introduceDomain w", "@releaseDomain w", "@releaseDomain w",
            ])
        _ = script.ask("d0", .setPermissions, "/secret|n0|r1|")
        _ = script.events("d1")
        _ = script.ask("d0", .write, "/secret|news")
        #expect(script.events("d1") == ["/secret w", "/secret w"])
        _ = script.ask("d0", .remove, "/secret|")
        #expect(script.events("d1") == ["/secret w", "/secret w"])
    }

    @Test("a client that goes takes its watches along") func disconnect() {
        var script = Script.withGuestHome()
        _ = script.ask("d1", .watch, "a|w|")
        script.store.disconnect(script.client("d1"))
        #expect(script.ask("d0", .write, "/local/domain/1/a|x") == "OK|")
    }
}
