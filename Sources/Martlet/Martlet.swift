/// Everything a program needs to run Xen PVH guests: `import Martlet`.
///
/// - ``GuestRegistry`` finds guests, ``GuestCreation`` makes them, ``Guest`` is one of them.
/// - ``ConfigurationFile`` reads xl.cfg; ``Preflight`` tells what would go wrong with it.
/// - ``ConsoleConnection`` types into a guest's console and reads the answer; ``ConsoleSession`` hands it to a terminal.
/// - Every failure is an ``OperatorError``: a cause and a remedy.
///
/// The command line is built on this module and nothing else of the package. docs/library.md is the tour.
@_exported public import ControlProtocol
@_exported public import DomainConfig
@_exported public import KernelImage
@_exported public import Toolstack
