internal import Glibc

/// The lock that tells a living guest from a stale directory.
///
/// The file `lock` in a guest's runtime directory is locked (`flock`) from before anybody can see the directory until the guest
/// process ends, however it ends. The creator takes the lock and hands it down as file descriptor 4, so that there is no moment in
/// between; a directory whose lock is free belongs to nobody and may be removed.
public enum GuestLock {
    /// Name of the file inside the guest's runtime directory.
    public static let fileName = "lock"
    /// The descriptor a guest process finds the locked file at.
    public static let inheritedDescriptor: Int32 = 4

    /// For the guest process, first thing: takes over the inherited lock, or takes the lock itself when started by hand.
    ///
    /// - Returns: the descriptor to keep open for the life of the process; it is not passed on to children.
    /// - Throws: ``SystemError``; `EWOULDBLOCK` when another process runs this guest.
    public static func adopt(directory: String) throws(SystemError) -> FileDescriptor {
        let path = "\(directory)/\(fileName)"
        if sameFile(inheritedDescriptor, path), flock(inheritedDescriptor, LOCK_EX | LOCK_NB) == 0 {
            _ = fcntl(inheritedDescriptor, F_SETFD, FD_CLOEXEC)
            return FileDescriptor(owning: inheritedDescriptor)
        }
        return try take(directory: directory, waiting: false)
    }

    /// Takes the lock of a directory, making the file if need be.
    ///
    /// - Throws: ``SystemError``; `EWOULDBLOCK` when somebody holds it and `waiting` is false.
    public static func take(directory: String, waiting: Bool) throws(SystemError) -> FileDescriptor {
        let path = "\(directory)/\(fileName)"
        let number = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard number >= 0 else { throw SystemError("open", path, errno: errno) }
        let file = FileDescriptor(owning: number)
        while flock(file.number, LOCK_EX | (waiting ? 0 : LOCK_NB)) != 0 {
            if errno != EINTR { throw SystemError("lock", path, errno: errno) }
        }
        return file
    }

    /// Whether some process holds the lock of a directory.
    ///
    /// - Throws: ``SystemError``; `ENOENT` when there is no lock file.
    public static func isHeld(directory: String) throws(SystemError) -> Bool {
        let path = "\(directory)/\(fileName)"
        let number = unsafe open(path, O_RDWR | O_CLOEXEC)
        guard number >= 0 else { throw SystemError("open", path, errno: errno) }
        let file = FileDescriptor(owning: number)
        if flock(file.number, LOCK_SH | LOCK_NB) == 0 { return false }
        guard errno == EWOULDBLOCK else { throw SystemError("lock", path, errno: errno) }
        return true
    }

    private static func sameFile(_ descriptor: Int32, _ path: String) -> Bool {
        var open = stat()
        var named = stat()
        return unsafe fstat(descriptor, &open) == 0 && stat(path, &named) == 0 && open.st_dev == named.st_dev && open.st_ino == named.st_ino
    }
}
