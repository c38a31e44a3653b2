import ControlProtocol
import Glibc

// Stands in for martlet-guest in the toolstack's tests: keeps its side of the process model, and runs no guest. What it does is
// written in the guest's command line:
//   die            ends before the guest is ready
//   stuck          never becomes ready
//   refuse         reports an error
//   garbage        reports something that is no report
//   crash          the guest crashes when it is unpaused
//   flood=N        writes N bytes to the console when it is unpaused, then powers off
//   deaf           ignores destroy
//   mute           never answers requests
//   unheeding      leaves a request to shut down where it is
//   old            has not said that it follows such requests
//   silent-end     the process ends without a word when the guest is unpaused
// Otherwise the console echoes each line in capitals, and the line "poweroff" ends the guest.

signal(SIGPIPE, SIG_IGN)
exit(try FakeGuest(directory: CommandLine.arguments[1]).run())
