extension KnownKey {
    private static let scheduling = "the vCPU threads have the host's scheduler; nice(1) and cgroups give them less or more"

    static let processors: [KnownKey] = [
        honoured(.processors, "vcpus", .integer, "1", "2", in: "b_info.avail_vcpus", "vCPUs that are online at the start, at most 128."),
        honoured(
            .processors, "maxvcpus", .integer, "vcpus", "4", in: "b_info.max_vcpus", "vCPUs the guest may ever have, at most 128."),
        honoured(
            .processors, "cpus", .stringOrList, "\"all\"", "[ \"0\" ]", in: "b_info.numa_placement",
            "Host CPUs the vCPUs must run on: all, 0-3,5,^1 or nodes:0; or a list with an entry for each vCPU. Their threads run nowhere else; vcpu-pin changes that while the guest runs."
        ),
        noEffect(
            .processors, "cpus_soft", .stringOrList, "\"all\"", "[ \"0\" ]", in: "b_info.numa_placement",
            because: "it is only shown; the host's scheduler chooses among the CPUs of cpus",
            "Host CPUs the vCPUs should run on, written as for cpus."),
        noEffect(
            .processors, "cpu_weight", .integer, "256", "512", in: "b_info.sched_params.weight", because: scheduling,
            "The guest's share of the host's time in proportion to others."),
        noEffect(
            .processors, "cap", .integer, "0", "50", in: "b_info.sched_params.cap", because: scheduling,
            "The most of the host's time the guest may take, in per cent of one CPU; 0 sets no limit."),
        noEffect(
            .processors, "period", .integer, "10000", in: "b_info.sched_params.period", because: scheduling,
            "Microseconds of a round of the real-time scheduler."),
        noEffect(
            .processors, "budget", .integer, "4000", in: "b_info.sched_params.budget", for: .nobody, because: scheduling,
            "Microseconds the guest gets in each round of the real-time scheduler."),
        noEffect(
            .processors, "extratime", .integer, "1", in: "b_info.sched_params.extratime", because: scheduling,
            "Lets the guest take time that is left over."),
        noEffect(
            .processors, "slice", .integer, "none", in: "b_info.sched_params.slice", because: scheduling,
            "A parameter of a scheduler Xen no longer has."),
        noEffect(
            .processors, "latency", .integer, "none", in: "b_info.sched_params.latency", because: scheduling,
            "A parameter of a scheduler Xen no longer has."),
        noEffect(
            .processors, "pool", .string, "\"Pool-0\"", "\"Pool-0\"", in: "c_info.pool_name", because: "there is one pool",
            "The pool of host CPUs the guest belongs to."),
        honoured(
            .processors, "cpuid", .stringOrList, "none", "\"host,tm=0\"", in: "b_info.cpuid.cpuid",
            "What CPUID tells the guest: a text host,feature=value,…, or a list of leaves as xend took it; see CPUID."),
        refused(
            .processors, "nestedhvm", .boolean, "1", in: "b_info.nested_hvm", for: [.hvm, .pvh],
            "no engine of this version can run a hypervisor inside the guest", "write nestedhvm=0, or remove the key",
            "Lets the guest be a hypervisor itself."),
        refused(
            .processors, "vpmu", .boolean, "1", in: "b_info.vpmu", "there is no virtual performance counter unit",
            "write vpmu=0, or remove the key", exitCode: ConfigDiagnostic.invalid, "Gives the guest performance counters."),
        noEffect(
            .processors, "vmtrace_buf_kb", .integer, "0", "64", in: "b_info.vmtrace_buf_kb",
            because: "nobody can read the trace", "KiB of a buffer for processor traces of each vCPU."),
        noEffect(
            .processors, "llc_colors", .list, "none", "[ \"0-4\" ]", because: "the host's caches are the host's",
            "The colours of the last-level cache the guest's memory may have."),
    ]
}
