import XenABI

/// multicall: an array of calls, run in order, each result written into its entry.
enum Multicall {
    static let handle: HypercallTable.Handler = { context throws(XenError) in
        guard !context.isNested else { throw .invalidArgument }
        let word = context.wordSize
        let entrySize = word * 8
        var address = context.arguments[0]
        var left = context.pick(context.arguments[1], context.arguments[1] & 0xffff_ffff)
        while left > 0, !context.mustStop {
            let entry = try context.read(address, count: entrySize)
            var inner = context
            inner.isNested = true
            for index in 0..<5 { inner.arguments[index] = entry.word((2 + index) * word, is64Bit: context.is64Bit) }
            let result = HypercallTable.call(entry.word(0, is64Bit: context.is64Bit), inner)
            let place = address &+ UInt64(word)
            if context.is64Bit {
                try context.store(place, result)
            } else {
                try context.store(place, Int32(truncatingIfNeeded: result))
            }
            address = address &+ UInt64(entrySize)
            left -= 1
        }
        return 0
    }
}
