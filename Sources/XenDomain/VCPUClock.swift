import X86
import XenABI

/// Timers and run states of one vCPU, guarded by `VCPU.clock`. All times are nanoseconds of system time.
struct VCPUClock: Sendable {
    var singleshot: UInt64?
    var setTimer: UInt64?
    var poll: UInt64?
    var period: UInt64 = 0
    var periodic: UInt64?
    var runstate: Runstate
    /// Where the guest wants its run state: a virtual address of its own, or a place.
    var runstateArea = GuestArea.none
    var timeArea = GuestArea.none

    enum GuestArea: Sendable {
        case none
        case linear(UInt64)
        case place(SharedPlace)
    }

    init(state: UInt32, now: UInt64) { runstate = Runstate(state: state, entered: now) }

    var nextDeadline: UInt64 {
        min(min(singleshot ?? .max, setTimer ?? .max), min(poll ?? .max, periodic ?? .max))
    }

    struct Due: Sendable {
        var timer = false
        var poll = false
    }

    /// Takes what is due at `now`. A periodic timer that missed ticks fires once.
    mutating func takeDue(now: UInt64) -> Due {
        var due = Due()
        if let time = singleshot, time <= now {
            singleshot = nil
            due.timer = true
        }
        if let time = setTimer, time <= now {
            setTimer = nil
            due.timer = true
        }
        if let time = periodic, time <= now {
            periodic = period == 0 ? nil : time &+ ((now &- time) / period &+ 1) &* period
            due.timer = true
        }
        if let time = poll, time <= now {
            poll = nil
            due.poll = true
        }
        return due
    }
}

/// How long a vCPU has been in each state (`vcpu_runstate_info`).
struct Runstate: Sendable {
    var state: UInt32
    var entered: UInt64
    var times = InlineArray<4, UInt64>(repeating: 0)

    init(state: UInt32, entered: UInt64) {
        self.state = state
        self.entered = entered
    }

    mutating func change(to new: UInt32, now: UInt64) {
        guard new != state else { return }
        times[Int(state & 3)] &+= now &- entered
        state = new
        entered = now
    }

    /// The record with the time in the current state counted up to `now`.
    func current(now: UInt64) -> Runstate {
        var copy = self
        copy.times[Int(state & 3)] &+= now &- entered
        return copy
    }

    /// The wire form; the 32-bit layout lacks the padding after `state`.
    func wire(is64Bit: Bool, updating: Bool = false) -> Wire {
        let first = is64Bit ? 8 : 4
        var wire = Wire(count: is64Bit ? RunstateLayout.size64 : RunstateLayout.size32)
        wire.set(0, state)
        wire.set(first, entered | (updating ? RunstateLayout.updateFlag : 0))
        for index in 0..<4 { wire.set(first + 8 + index * 8, times[index]) }
        return wire
    }
}

/// What a vCPU starts with, guarded by `VCPU.start`.
struct VCPUStart: Sendable {
    /// True once the vCPU has a state to run from.
    var isInitialised: Bool
    /// The state its thread has to load before it runs.
    var state: RegisterState?

    init(isInitialised: Bool) { self.isInitialised = isInitialised }

    mutating func takeState() -> RegisterState? {
        defer { state = nil }
        return state
    }
}
