/// What bytes each opcode has and where it may stand: one cell of two characters per opcode, a grid of 16 by 16 per map
/// (SDM vol. 2D, appendix A; AMD64 manual vol. 3, appendix A). The groups are in Groups.swift.
///
/// The first character is the form:
///
///     .  nothing follows                     M  ModRM
///     r  register in the opcode              D  ModRM, register form only
///     i  register in the opcode, imm8        A  ModRM, memory form only
///     v  register in the opcode, full imm    R  ModRM, mod ignored: always registers
///     b  imm8, sign-extended                 B  ModRM, imm8 sign-extended
///     u  imm8, zero-extended                 U  ModRM, imm8 zero-extended
///     w  imm16                               Z  ModRM, imm16/32
///     z  imm16/32                            E  ModRM, register form only, imm8 zero-extended
///     e  imm16, imm8 (ENTER)                 s  memory operand without ModRM (strings, XLAT)
///     p  far pointer                         o  memory offset (MOV moffs)
///     j  branch distance of 8 bits           J  branch distance of 16 or 32 bits
///
/// The second character is the rule:
///
///     -  none                                d  64-bit operands by default in 64-bit code
///     i  not in 64-bit code                  x  raises #UD by definition
///     l  LOCK is allowed (memory form)       1-9, A-F  SSE: set of prefixes that select it,
///     e  ends a block                           none 1, 66 2, F3 4, F2 8
///     f  ends a block; 64-bit operands in    G-Z, g-z else: a group
///        64-bit code whatever the prefixes
///     t  ends a block, not in 64-bit code
///     y  ends a block, default 64
///
/// `__` is not an opcode. Prefixes and escapes stand as `pp`; they never reach the table.
enum OpcodeTables {
    static let oneByte: StaticString = """
        Ml Ml M- M- b- z- .i .i Ml Ml M- M- b- z- .i pp \
        Ml Ml M- M- b- z- .i .t Ml Ml M- M- b- z- .i .i \
        Ml Ml M- M- b- z- pp .i Ml Ml M- M- b- z- pp .i \
        Ml Ml M- M- b- z- pp .i M- M- M- M- b- z- pp .i \
        ri ri ri ri ri ri ri ri ri ri ri ri ri ri ri ri \
        rd rd rd rd rd rd rd rd rd rd rd rd rd rd rd rd \
        .i .i Ai M- pp pp pp pp zd Z- bd B- s- s- s- s- \
        jf jf jf jf jf jf jf jf jf jf jf jf jf jf jf jf \
        BG ZG BH BG M- M- Ml Ml M- M- M- M- MI A- MJ MK \
        r- r- r- r- r- r- r- r- .- .- pt .- .d .y .- .- \
        o- o- o- o- s- s- s- s- b- z- s- s- s- s- s- s- \
        i- i- i- i- i- i- i- i- v- v- v- v- v- v- v- v- \
        U- U- wf .f Ai Ai BL ZL ed .d we .e .e ue .t .e \
        M- M- M- M- ui ui .i s- MX MX MX MX MX MX MX MX \
        jf jf jf jf u- u- u- u- Jf Jf pt jf .- .- .- .- \
        pp .e pp pp .e .- MN MN .- .- .e .e .- .- MP MQ
        """

    static let map0F: StaticString = """
        MO MR M- M- __ .e .e .e .- .- __ .x __ M- __ __ \
        MF MF MS A3 M3 M3 MT A3 M- M- M- M- M- M- M- M- \
        RU RV RU RV __ __ __ __ M3 M3 MF A3 MF MF M3 M3 \
        .e .- .- .- .e .e __ __ pp __ pp __ __ __ __ __ \
        M- M- M- M- M- M- M- M- M- M- M- M- M- M- M- M- \
        D3 MF M5 M5 M3 M3 M3 M3 MF MF MF M7 MF MF MF MF \
        M3 M3 M3 M3 M3 M3 M3 M3 M3 M3 M3 M3 M2 M2 M3 M7 \
        UF EW EW EY M3 M3 M3 .1 __ __ __ __ MA MA M7 M7 \
        Jf Jf Jf Jf Jf Jf Jf Jf Jf Jf Jf Jf Jf Jf Jf Jf \
        M- M- M- M- M- M- M- M- M- M- M- M- M- M- M- M- \
        .d .d .- M- U- M- __ __ .d .d __ Ml U- M- MZ M- \
        Ml Ml Ae Ml A- A- M- M- Mg Mx Uh Ml M- M- M- M- \
        Ml Ml UF A1 U3 E3 U3 Mk r- r- r- r- r- r- r- r- \
        MA M3 M3 M3 M3 M3 Mm D3 M3 M3 M3 M3 M3 M3 M3 M3 \
        M3 M3 M3 M3 M3 M3 ME A3 M3 M3 M3 M3 M3 M3 M3 M3 \
        A8 M3 M3 M3 M3 M3 M3 D3 M3 M3 M3 M3 M3 M3 M3 Mx
        """

    static let map0F38: StaticString = """
        M3 M3 M3 M3 M3 M3 M3 M3 M3 M3 M3 M3 __ __ __ __ \
        M2 __ __ __ M2 M2 __ M2 __ __ __ __ M3 M3 M3 __ \
        M2 M2 M2 M2 M2 M2 __ __ M2 M2 A2 M2 __ __ __ __ \
        M2 M2 M2 M2 M2 M2 __ M2 M2 M2 M2 M2 M2 M2 M2 M2 \
        M2 M2 __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ An __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ M1 M1 M1 M1 M1 M1 __ __ \
        __ __ __ __ __ __ __ __ __ __ __ M2 M2 M2 M2 M2 \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        Mo Mo __ __ __ __ M6 __ __ __ __ __ __ __ __ __
        """

    static let map0F3A: StaticString = """
        __ __ __ __ __ __ __ __ U2 U2 U2 U2 U2 U2 U2 U3 \
        __ __ __ __ U2 U2 U2 U2 __ __ __ __ __ __ __ __ \
        U2 U2 U2 __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        U2 U2 U2 __ U2 __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        U2 U2 U2 U2 __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ U1 __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ U2 \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ \
        __ __ __ __ __ __ __ __ __ __ __ __ __ __ __ __
        """
}
