/// Sections about single keys that have much to say.
extension KeyManual {
    static let cpuid = [
        ".Sh CPUID", "CPUID shows the guest what the engine implements.", "With", ".Ic cpuid", "it shows less, or other numbers.",
        "What is set holds for all vCPUs and for the guest's whole life.", ".Pp",
        "The first form is a text that begins with host and goes on with pairs between commas:", ".Bd -literal -offset indent",
        "cpuid = \"host,sse4_2=0,xsave=0,family=6,model=62\"", ".Ed", ".Pp",
        "A feature takes 0, which hides it; 1, which shows it if the engine has it; x, k or s, which leave it as the engine has it.",
        "Names are those of Xen 4.17, and those of 4.20 where they differ.",
        "family, model, stepping, brandid, clflush, proccount, nc, apicidsize, maxleaf and maxhvleaf take a number.",
        ".Pp", "The second form is a list of texts, one for each leaf, and after a comma its subleaf.",
        "A register is 32 characters for its bits, the highest first:", ".Bd -literal -offset indent",
        "cpuid = [ \"1:ecx=xxxxxxxxxxx0xxxxxxxxxxxxxxxxxxxx\",", "          \"7,0:ebx=xxxxxxxxxxxxxxxxxxxxxxxx0xxxxxxx\" ]", ".Ed",
        ".Bl -bullet", ".It", "What builds on a hidden feature is hidden with it: SSE4.2 with SSE4.1, XSAVEOPT and leaf 13 with XSAVE.",
        ".It", "What the engine lacks stays off, and", ".Ic martlet create",
        "says so in a warning with the feature's name; the guest starts.",
        ".It", "Names, sizes of caches, family and model are shown as they are set.",
        "maxleaf and the sizes of addresses can only be lowered.",
        "The vendor, the APIC IDs and Xen's leaves stay, but that maxhvleaf shortens the latter.", ".It",
        "A hidden feature is not disabled: its instructions execute, as they do on a processor without a fault for them.",
        "Software that asks CPUID keeps away from them; software that does not finds them.", ".El",
    ]

    static let bootLoaders = [
        ".Sh BOOT LOADERS",
        "With", ".Ic bootloader", "a program of the host looks into the guest's first disk for a kernel, before every start of the guest.",
        "Xen's pygrub is one.", "It runs as the user who creates the guest, and reads what the guest wrote:",
        "GRUB's PVH build as", ".Ic kernel", "does the same inside the guest, and is to be preferred.", ".Pp",
        "A name without a slash is looked for on the PATH and where Xen's packages keep theirs.", "The program is called with", ".Pp",
        ".Dl [\\-\\-kernel=K] [\\-\\-ramdisk=R] [\\-\\-args=A] [\\-\\-runas=UID \\-\\-quiet]",
        ".Dl \\-\\-output=FIFO \\-\\-output\\-format=simple0 \\-\\-output\\-directory=DIRECTORY",
        ".Dl [bootloader_args ...] DISK", ".Pp", "where K, R and A are", ".Ic kernel , ramdisk", "and the command line, if given.",
        "Into FIFO it writes the entries \"kernel PATH\", \"ramdisk PATH\" and \"args TEXT\", each ended by a zero byte.",
        "Files in DIRECTORY are removed once the guest is built.", "Without args the command line of the configuration holds.", ".Pp",
        "Its terminal is shown by", ".Ic martlet create -c ,",
        "which Ctrl\\-] leaves, giving up; what it prints is in NAME.bootloader.log beside the other logs.",
        "An exit code but 0, output without a kernel or with more than 64 KiB, or a signal to", ".Ic martlet create",
        "end the creation, and nothing of the guest stays.", "After a reboot of the guest it has 60 seconds and no terminal.",
    ]
}
