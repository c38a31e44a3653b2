@testable import BlockBackend
