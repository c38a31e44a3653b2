import LocalAPIC
import Testing
