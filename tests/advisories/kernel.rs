//! The kernel's own holes, reached from a user namespace: CVE-2016-3135 (netfilter), CVE-2022-0185
//! (mount API), CVE-2023-0386 (overlayfs), CVE-2024-1086 (nf_tables), and the io_uring family.
//! It must not make a call that could do harm if the boundary were open: arguments are wrong on purpose.

use crate::calls::{alone, ask, here, path, socket, word};
use crate::harness::jailed;
use crate::support::{self, Scratch};

const NETFILTER: i32 = 12; // NETLINK_NETFILTER
const ROUTE: i32 = 0; // NETLINK_ROUTE

checks! {
    cve_2016_3135_no_nested_user_namespace: "open open" => "EPERM EPERM", || {
        let unshared = ask(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize]);
        let cloned = ask(libc::SYS_clone, [(libc::CLONE_NEWUSER | libc::SIGCHLD) as usize]);
        format!("{unshared} {cloned}")
    };
    cve_2016_3135_no_namespace_with_a_network: "open" => "EPERM", || {
        ask(libc::SYS_unshare, [(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) as usize])
    };
    // clone3(2) would hide the flags from any filter; EINVAL is its answer to no arguments.
    cve_2016_3135_no_clone3: "EINVAL" => "ENOSYS", || ask(libc::SYS_clone3, [0, 0]);
    cve_2016_3135_cve_2024_1086_no_netfilter_socket: _ => "EPERM EPERM", netfilter;
    cve_2016_3135_cve_2024_1086_no_netfilter_socket_with_loopback: _ => "EPERM EPERM" with ["--network", "loopback"], netfilter;
    cve_2016_3135_cve_2024_1086_no_netfilter_socket_on_the_host: _ => "EPERM EPERM"
        with ["--network", "host", "--weaken", "host-network=a test"], netfilter;
    // IPT_SO_SET_REPLACE and IP6T_SO_SET_REPLACE.
    cve_2016_3135_no_table_is_replaced: _ => "EPERM EPERM" with ["--network", "loopback"], || {
        format!("{} {}", replace(libc::AF_INET, libc::SOL_IP), replace(libc::AF_INET6, libc::SOL_IPV6))
    };
    // The socket that stays for getifaddrs(3) changes nothing.
    cve_2024_1086_no_interface_is_made: _ => "EPERM" with ["--network", "loopback"], make_an_interface;
    cve_2024_1086_no_packet_socket: _ => "EPERM EPERM" with ["--network", "loopback"], || {
        let packet = socket(libc::AF_PACKET, libc::SOCK_RAW, 0);
        format!("{packet} {}", socket(libc::AF_INET, libc::SOCK_RAW, libc::IPPROTO_RAW))
    };
    cve_2022_0185_no_file_system_context: _ => "EPERM EPERM EPERM EPERM", || {
        // The bug was in the parameters of the old kind, reached by FSCONFIG_SET_STRING.
        let open = |name| ask(libc::SYS_fsopen, [path(name).as_ptr() as usize, 0]);
        let string = ask(libc::SYS_fsconfig, [usize::MAX, 1, 0, 0, 0]);
        let root = path("/");
        let pick = ask(libc::SYS_fspick, [libc::AT_FDCWD as usize, root.as_ptr() as usize, 0]);
        format!("{} {} {string} {pick}", open("ext4"), open("tmpfs"))
    };
    cve_2023_0386_no_overlay: _ => "EPERM EPERM", || {
        let [kind, place] = [c"overlay", c"/tmp"].map(|text| text.as_ptr() as usize);
        let layers = c"lowerdir=/usr,upperdir=/tmp,workdir=/tmp".as_ptr() as usize;
        let mounted = ask(libc::SYS_mount, [kind, place, kind, 0, layers]);
        format!("{mounted} {}", ask(libc::SYS_fsopen, [kind, 0]))
    };
    cve_2023_0386_no_set_uid_file_is_made: "open" => "EPERM", || {
        let name = format!("{}/file", crate::harness::place());
        std::fs::write(&name, "").unwrap();
        let name = path(&name);
        ask(libc::SYS_chmod, [name.as_ptr() as usize, 0o4755])
    };
    rings, rings;
}

/// SO_TYPE raw and datagram, as nft(8) and conntrack open it.
fn netfilter() -> String {
    let raw = socket(libc::AF_NETLINK, libc::SOCK_RAW, NETFILTER);
    format!(
        "{raw} {}",
        socket(
            libc::AF_NETLINK,
            libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
            NETFILTER
        )
    )
}

fn replace(family: i32, level: i32) -> String {
    // SAFETY: makes a socket; the table is no table at all.
    unsafe {
        let socket = libc::socket(family, libc::SOCK_DGRAM, 0);
        assert!(socket >= 0);
        let table = [0u8; 8];
        let place = table.as_ptr().cast();
        let answer = word(libc::setsockopt(socket, level, 64, place, 8).into());
        libc::close(socket);
        answer
    }
}

/// RTM_NEWLINK by NETLINK_ROUTE, for a dummy interface: what the kernel acknowledges.
fn make_an_interface() -> String {
    let mut message = [0u8; 32];
    message[0] = 32; // length
    message[4] = 16; // RTM_NEWLINK
    message[6] = 1 | 4; // NLM_F_REQUEST | NLM_F_ACK
    message[7] = 2 | 4; // NLM_F_EXCL | NLM_F_CREATE
    let mut reply = [0u8; 128];
    // SAFETY: lengths are those of the buffers.
    unsafe {
        let socket = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW, ROUTE);
        assert!(socket >= 0);
        let sent = libc::send(socket, message.as_ptr().cast(), message.len(), 0);
        if sent == -1 {
            return word(-1);
        }
        let got = libc::recv(socket, reply.as_mut_ptr().cast(), reply.len(), 0);
        assert!(got >= 20, "{got}");
    }
    // nlmsgerr: a negative errno after the header.
    let error = i32::from_ne_bytes(reply[16..20].try_into().unwrap());
    format!("{:?}", nix::errno::Errno::from_raw(-error))
}

/// Not one of the three, by no flag and no operation.
fn rings() -> String {
    let mut parameters = [0u32; 30];
    let parameters = parameters.as_mut_ptr() as usize;
    let own = |number, arguments: [usize; 6]| alone(|| here(number, arguments));
    [
        own(libc::SYS_io_uring_setup, [1, parameters, 0, 0, 0, 0]),
        own(libc::SYS_io_uring_setup, [usize::MAX, 0, 0, 0, 0, 0]),
        own(libc::SYS_io_uring_enter, [0, 1, 1, 1, 0, 0]),
        own(libc::SYS_io_uring_register, [usize::MAX, 16, 0, 0, 0, 0]),
    ]
    .join(" ")
}

#[test]
fn io_uring_is_refused_in_every_shipped_policy() {
    let scratch = Scratch::new();
    for policy in ["strict", "compile", "agent", "judge", "judge-compile"] {
        let mut command = crate::harness::inside("rings", "", &["--policy", policy]);
        let output = support::run(command.current_dir(scratch.path()));
        let answer = crate::harness::outcome(&output);
        assert_eq!(answer.as_deref(), Ok("EPERM EPERM EPERM EPERM"), "{policy}");
    }
}

#[test]
fn io_uring_can_be_allowed_by_no_policy() {
    let scratch = Scratch::new();
    let write = |text: &str| {
        let text = format!("version = 1\nextends = [\"strict\"]\n{text}\n");
        scratch.file("p.toml", text, 0o644).display().to_string()
    };
    for call in ["io_uring_setup", "io_uring_enter", "io_uring_register"] {
        let policy = write(&format!("[syscalls]\nallow = [\"@default\", \"{call}\"]"));
        let message =
            crate::refused(support::sandbox().args(["--policy", &policy, "--", "/bin/true"]));
        assert!(message.contains(call), "{message}");
    }
    for word in ["io-uring", "io_uring", "syscalls", "seccomp", "no-seccomp"] {
        let policy = write(&format!("[weaken]\n{word} = \"because\""));
        crate::refused(support::sandbox().args(["--policy", &policy, "--", "/bin/true"]));
    }
    // Whatever groups there are, all of them together do not hold it.
    let groups = sandbox::policy::syscalls::GROUPS;
    let names: Vec<String> = groups
        .iter()
        .map(|group| format!("\"{}\"", group.name))
        .collect();
    assert!(names.len() > 3);
    let policy = write(&format!("[syscalls]\nallow = [{}]", names.join(", ")));
    let answer = jailed("rings", "", &["--policy", &policy]);
    assert_eq!(answer.as_deref(), Ok("EPERM EPERM EPERM EPERM"));
}
