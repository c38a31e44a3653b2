import ArgumentParser
import Martlet

/// Raises an event on a guest's vCPU.
struct TriggerEvent: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trigger", abstract: "Raise an event in a guest: nmi, reset, init, power, sleep, s3resume.",
        discussion: "A PVH guest takes nmi; the buttons and resets of a full machine it may refuse.")

    @Argument(help: "Name or domain ID.") var domain: String
    @Argument(help: ArgumentHelp("The event.", valueName: "event")) var event: String
    @Argument(help: "The vCPU.") var vcpu = 0

    func run() throws {
        let guest = try Guests.find(domain)
        guard let trigger = Trigger(rawValue: event) else {
            let known = Trigger.allCases.map(\.rawValue).joined(separator: ", ")
            throw OperatorError("there is no trigger \"\(event)\"", remedy: "there are: \(known)")
        }
        try guest.trigger(trigger, vcpu: vcpu)
    }
}
