import Glibc

exit(Launcher(arguments: CommandLine.arguments).run())
