import Foundation
import Synchronization
import TestSupport
import Testing

@testable import X86Translator

/// Whole programs against the interpreter, which is what a translator has to equal.
@Suite(.serialized, .enabled(if: HostCPU.shared != nil, "needs an x86-64 host"))
struct TranslatorProgramTests {
    private func compare(_ subject: TranslatorSubject, seed: UInt64, count: Int, _ change: (inout ProgramGenerator) -> Void) throws {
        let engine: Differential.Engine = { program, state, memory in subject.run(program.code, &state, &memory) }
        let differential = Differential(reference: try TranslatorSubject.interpreterEngine(), subject: engine)
        var generator = ProgramGenerator(seed: seed)
        change(&generator)
        var reports: [String] = []
        for index in 0..<count where reports.count < 5 {
            if let report = differential.compare(generator.next()) { reports.append("seed \(seed) case \(index): \(report)") }
        }
        #expect(reports.isEmpty, "\(reports.joined(separator: "\n"))")
        #expect(subject.statistics.translatedBlocks > count, "programs run translated")
    }

    @Test("programs leave the registers, flags, memory and exceptions that the interpreter leaves")
    func programs() throws {
        try compare(TranslatorSubject(.bits64), seed: FuzzRun.seed, count: FuzzRun.cases(3000)) { _ in }
    }

    @Test("faults in the middle of blocks find everything before them done and nothing after them")
    func faults() throws {
        try compare(TranslatorSubject(.bits64), seed: FuzzRun.seed + 1, count: FuzzRun.cases(3000)) { $0.wildness = 150 }
    }

    @Test("programs that overwrite what follows run what they wrote")
    func selfModification() throws {
        try compare(TranslatorSubject(.bits64), seed: FuzzRun.seed + 2, count: FuzzRun.cases(2000)) { $0.writesCode = true }
    }

    @Test("code memory that fills up is thrown away without a trace")
    func fullCodeMemory() throws {
        let subject = try TranslatorSubject(.bits64) { $0.codeByteCount = 128 << 10 }
        try compare(subject, seed: FuzzRun.seed + 3, count: FuzzRun.cases(1000)) { _ in }
        #expect(subject.statistics.codeFlushes > 0)
    }

    @Test("a program that is stopped at boundaries again and again ends as one that is not")
    func attention() throws {
        let subject = try TranslatorSubject(.bits64)
        let nagger = Nagger(subject)
        defer { nagger.stop() }
        try compare(subject, seed: FuzzRun.seed + 4, count: FuzzRun.cases(2000)) { _ in }
    }
}

/// Asks an engine for attention from another thread, over and over.
private final class Nagger: Sendable {
    private let isStopped = Atomic<Bool>(false)
    private let hasEnded = Atomic<Bool>(false)

    init(_ subject: TranslatorSubject) {
        Thread.detachNewThread { [self] in
            while !isStopped.load(ordering: .relaxed) {
                subject.requestAttention()
                for _ in 0..<200 where !isStopped.load(ordering: .relaxed) {}
            }
            hasEnded.store(true, ordering: .releasing)
        }
    }

    func stop() {
        isStopped.store(true, ordering: .relaxed)
        while !hasEnded.load(ordering: .acquiring) { sched_yield() }
    }
}
