//! A static program whose only call is `exit(0)`: what every row executes.
//! It must not grow: what it costs is in every figure.

/// An ELF header, one program header (elf(5)) and the code: 129 bytes on x86_64.
pub fn nothing() -> Vec<u8> {
    // x86_64: xor edi, edi; mov eax, 60; syscall.
    #[cfg(target_arch = "x86_64")]
    let (machine, code) = (
        62_u16,
        [0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05].as_slice(),
    );
    // aarch64: mov x8, #93; mov x0, #0; svc #0.
    #[cfg(target_arch = "aarch64")]
    let (machine, code) = (
        183_u16,
        [0xa8, 0x0b, 0x80, 0xd2, 0, 0, 0x80, 0xd2, 0x01, 0, 0, 0xd4].as_slice(),
    );
    const BASE: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 56;
    let size = HEADERS + code.len() as u64;
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    let half = |file: &mut Vec<u8>, value: u16| file.extend(value.to_le_bytes());
    let word = |file: &mut Vec<u8>, value: u32| file.extend(value.to_le_bytes());
    let long = |file: &mut Vec<u8>, value: u64| file.extend(value.to_le_bytes());
    half(&mut file, 2); // ET_EXEC
    half(&mut file, machine);
    word(&mut file, 1); // version
    long(&mut file, BASE + HEADERS); // entry
    long(&mut file, 64); // program headers
    long(&mut file, 0); // section headers
    word(&mut file, 0); // flags
    for value in [64, 56, 1, 0, 0, 0] {
        half(&mut file, value); // sizes and numbers of the headers
    }
    word(&mut file, 1); // PT_LOAD
    word(&mut file, 5); // PF_R | PF_X
    for value in [0, BASE, BASE, size, size, 0x1000] {
        long(&mut file, value); // offset, addresses, sizes, alignment
    }
    file.extend(code);
    file
}
