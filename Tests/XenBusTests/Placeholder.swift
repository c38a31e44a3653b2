@testable import XenBus
