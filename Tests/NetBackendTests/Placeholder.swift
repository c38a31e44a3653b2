@testable import NetBackend
