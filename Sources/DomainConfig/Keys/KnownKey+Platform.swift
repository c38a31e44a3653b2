extension KnownKey {
    static let platform: [KnownKey] = time + features + management

    private static let time: [KnownKey] = [
        honoured(
            .time, "localtime", .boolean, "0", "1", in: "b_info.localtime", "The wall clock shows the host's local time instead of UTC."),
        honoured(
            .time, "rtc_timeoffset", .integer, "0", "3600", in: "b_info.rtc_timeoffset", "Seconds added to the wall clock."),
        honoured(
            .time, "timer_mode", .integerOrString, "\"no_delay_for_missed_ticks\"", "\"one_missed_tick_pending\"", in: "b_info.timer_mode",
            for: [.hvm, .pvh],
            "What becomes of timer ticks a vCPU missed: delay_for_missed_ticks, no_delay_for_missed_ticks, no_missed_ticks_pending or one_missed_tick_pending; a number from 0 to 3 is deprecated."
        ),
        honoured(
            .time, "tsc_mode", .integerOrString, "\"default\"", "\"native\"", in: "b_info.tsc_mode",
            "How the time stamp counter runs: default, always_emulate or native; native_paravirt has left Xen. A number is deprecated."),
    ]

    private static let features: [KnownKey] = [
        noEffect(
            .platform, "apic", .boolean, "1", "0", for: .hvm, because: "a PVH guest always has its local APICs, as on Xen",
            "A local APIC, shown in CPUID and in the ACPI tables."),
        noEffect(
            .platform, "acpi", .boolean, "1", "0", in: "b_info.acpi", because: "a PVH guest always has its ACPI tables, as on Xen",
            "ACPI tables for the guest."),
        honoured(
            .platform, "msr_relaxed", .boolean, "0", "1", in: "b_info.arch_x86.msr_relaxed",
            "Reads of MSRs nobody knows give 0 instead of a fault."),
        honoured(
            .platform, "max_grant_frames", .integer, "64", "128", in: "b_info.max_grant_frames",
            "Pages the guest's grant table may grow to."),
        noEffect(
            .platform, "max_maptrack_frames", .integer, "1024", "256", in: "b_info.max_maptrack_frames",
            because: "the guest maps no other guest's memory", "Pages for keeping track of mapped grants."),
        honoured(
            .platform, "max_grant_version", .integer, "2", "1", in: "b_info.max_grant_version",
            "The newest layout of the grant table: 1 or 2."),
        honoured(
            .platform, "max_event_channels", .integer, "1023", "64", in: "b_info.event_channels",
            "The highest event channel the guest may use."),
        refused(
            .platform, "altp2m", .string, "\"mixed\"", in: "b_info.altp2m", "alternate physical-to-machine tables are not supported",
            harmless: ["disabled"], "Several views of the guest's memory, for tools that watch it: disabled, mixed, external or limited."),
        noEffect(
            .platform, "altp2m_count", .integer, "10", because: "it goes with altp2m=", "How many views of the guest's memory there may be."
        ),
        noEffect(
            .platform, "xenstore_feature_mask", .integer, "all", because: "the xenstore is the guest's own",
            "Features of the xenstore shown to the guest."),
        noEffect(
            .platform, "xenstore_quota", .list, "those of the xenstore", "[ \"nodes=1000\" ]", because: "the xenstore is the guest's own",
            "Limits of what the guest may store in the xenstore."),
    ]

    private static let management: [KnownKey] = [
        noEffect(
            .management, "nomigrate", .boolean, "0", in: "b_info.disable_migrate", because: "this version migrates no guest",
            "The guest must not be saved or migrated."),
        refused(
            .management, "driver_domain", .boolean, "1", in: "c_info.driver_domain", "driver domains are not supported",
            "remove the key", "The guest is to serve devices to others."),
        noEffect(
            .management, "seclabel", .string, "none", "\"system_u:system_r:domU_t\"", in: "c_info.ssid_label",
            because: "there is no security module", "The guest's security label."),
        noEffect(
            .management, "init_seclabel", .string, "seclabel", "\"system_u:system_r:domU_t\"", in: "c_info.ssid_label",
            because: "there is no security module", "The guest's security label while it is built."),
        noEffect(
            .management, "xend_suspend_evtchn_compat", .boolean, "0", in: "c_info.xend_suspend_evtchn_compat",
            because: "the xenstore needs no such permission", "Lets the guest write where old kernels announce their suspend channel."),
        noEffect(
            .management, "run_hotplug_scripts", .boolean, "1", for: .nobody,
            because: "it belongs into xl.conf, and devices are connected without scripts", "Connects devices by scripts of the host."),
    ]
}
