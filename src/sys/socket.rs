//! The status and control sockets: fixed frames, and one descriptor once.

use super::{Errno, Result, check, fd, process, uninterrupted};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

/// A connected pair of SEQPACKET sockets, close-on-exec, numbered 3 or higher: a
/// caller may have closed standard streams, and the program's go there. Parent only.
pub(crate) fn pair() -> Result<(OwnedFd, OwnedFd)> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
    let (one, other) = socketpair(
        AddressFamily::Unix,
        SockType::SeqPacket,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    Ok((fd::above_stdio(one)?, fd::above_stdio(other)?))
}

/// Sends one frame; a peer that is gone is an error, never a signal. Child-safe.
pub(crate) fn send(socket: RawFd, frame: &[u8]) -> Result<()> {
    let (pointer, flags) = (frame.as_ptr().cast(), libc::MSG_NOSIGNAL);
    // SAFETY: pointer and length describe `frame`.
    let send = || check(unsafe { libc::send(socket, pointer, frame.len(), flags) } as libc::c_long);
    uninterrupted(send).map(drop)
}

/// Receives one frame into `buffer`; 0 at the end. Child-safe.
pub(crate) fn receive(socket: RawFd, buffer: &mut [u8], block: bool) -> Result<usize> {
    let flags = if block { 0 } else { libc::MSG_DONTWAIT };
    let (pointer, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: pointer and length describe `buffer`.
    let receive = || check(unsafe { libc::recv(socket, pointer, length, flags) } as libc::c_long);
    uninterrupted(receive).map(|bytes| bytes as usize)
}

/// Waits until the peer is closed by all that have it; what it says before wakes nobody, and can
/// be received after. Parent only.
pub(crate) fn wait_for_end(socket: &OwnedFd) -> Result<()> {
    loop {
        let mut fds = [process::polled(socket.as_raw_fd(), 0)];
        process::poll(&mut fds, None)?;
        if fds.iter().any(|fd| fd.revents != 0) {
            return Ok(());
        }
    }
}

/// From here on the peer's sending fails; was nothing sent before either? Parent only.
pub(crate) fn silence(socket: &OwnedFd) -> Result<bool> {
    use nix::sys::socket::{Shutdown, shutdown};
    shutdown(socket.as_raw_fd(), Shutdown::Read)?;
    receive(socket.as_raw_fd(), &mut [0], false).map(|bytes| bytes == 0)
}

/// Space for one control message with one descriptor, aligned as the kernel asks.
#[repr(C, align(8))]
struct OneDescriptor([u8; 24]);

/// Sends one descriptor with one byte. Child-safe.
pub(crate) fn send_descriptor(socket: RawFd, fd: RawFd) -> Result<()> {
    let mut byte = [0u8];
    let mut control = OneDescriptor([0; 24]);
    let mut part = libc::iovec {
        iov_base: byte.as_mut_ptr().cast(),
        iov_len: 1,
    };
    // SAFETY: zeroed is a valid msghdr; every pointer set below outlives the call;
    // CMSG_SPACE(4) is 24 bytes on 64-bit Linux, the size of `control`.
    unsafe {
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = 24;
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        (*header).cmsg_level = libc::SOL_SOCKET;
        (*header).cmsg_type = libc::SCM_RIGHTS;
        (*header).cmsg_len = libc::CMSG_LEN(4) as _;
        libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        uninterrupted(|| {
            check(libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL) as libc::c_long)
        })
    }
    .map(drop)
}

/// Receives one descriptor; `None` when the message carried none, or more. Parent only.
pub(crate) fn receive_descriptor(socket: &OwnedFd) -> Result<Option<OwnedFd>> {
    // One byte comes with it; what may be sent in its place, frames, is not much longer.
    let (_, fds) = receive_with(socket, &mut [0; 256])?;
    Ok(<[OwnedFd; 1]>::try_from(fds).ok().map(|[fd]| fd))
}

/// Space for one control message with up to three descriptors, aligned as the kernel asks.
#[repr(C, align(8))]
struct ThreeDescriptors([u8; 32]);

/// Receives one message and the descriptors that come with it, three at most, close-on-exec
/// and numbered 3 or higher: how many bytes of `room` were written. EPROTO where there are
/// fewer, or at the end; EMSGSIZE without room for all of it. Child-safe.
pub(crate) fn receive_these<const N: usize>(
    socket: RawFd,
    room: &mut [MaybeUninit<u8>],
) -> Result<(usize, [RawFd; N])> {
    const { assert!(N <= 3) };
    let mut control = ThreeDescriptors([0; 32]);
    let mut part = libc::iovec {
        iov_base: room.as_mut_ptr().cast(),
        iov_len: room.len(),
    };
    // SAFETY: zeroed is a valid msghdr; every pointer set below outlives the call and
    // describes its memory; CMSG_LEN(12) is 28 on 64-bit Linux and fits into `control`,
    // and a header that tells of so many descriptors is followed by them.
    let (bytes, mut fds) = unsafe {
        let length = libc::CMSG_LEN(size_of::<[RawFd; N]>() as u32);
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control).cast();
        // For one more there is no room.
        message.msg_controllen = length as _;
        let bytes = uninterrupted(|| {
            let flags = libc::MSG_CMSG_CLOEXEC;
            check(libc::recvmsg(socket, &raw mut message, flags) as libc::c_long)
        })?;
        if message.msg_flags & (libc::MSG_TRUNC | libc::MSG_CTRUNC) != 0 {
            return Err(Errno::EMSGSIZE);
        }
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        if header.is_null()
            || (*header).cmsg_level != libc::SOL_SOCKET
            || (*header).cmsg_type != libc::SCM_RIGHTS
            || (*header).cmsg_len as usize != length as usize
        {
            return Err(Errno::EPROTO);
        }
        let fds = libc::CMSG_DATA(header).cast::<[RawFd; N]>();
        (bytes as usize, fds.read_unaligned())
    };
    for fd in &mut fds {
        *fd = fd::raise(*fd)?;
    }
    Ok((bytes, fds))
}

/// Most descriptors in one message (SCM_MAX_FD of the kernel).
pub(crate) const MOST_DESCRIPTORS: usize = 253;

/// Sends one message with descriptors. Parent only.
pub(crate) fn send_with(socket: &OwnedFd, bytes: &[u8], fds: &[RawFd]) -> Result<()> {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    let parts = [std::io::IoSlice::new(bytes)];
    let rights = [ControlMessage::ScmRights(fds)];
    let rights = if fds.is_empty() { &[][..] } else { &rights };
    let flags = MsgFlags::MSG_NOSIGNAL;
    uninterrupted(|| sendmsg::<()>(socket.as_raw_fd(), &parts, rights, flags, None)).map(drop)
}

/// Receives one message with its descriptors, close-on-exec and numbered 3 or higher, into
/// `buffer`: how long it is, 0 at the end. One that has no room is EMSGSIZE. Parent only.
pub(crate) fn receive_with(socket: &OwnedFd, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>)> {
    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
    let mut parts = [std::io::IoSliceMut::new(buffer)];
    let mut space = nix::cmsg_space!([RawFd; MOST_DESCRIPTORS]);
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message = loop {
        match recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Err(Errno::EINTR) => {}
            other => break other?,
        }
    };
    let mut fds = Vec::new();
    for rights in message.cmsgs()? {
        if let ControlMessageOwned::ScmRights(received) = rights {
            fds.extend(received.into_iter().map(fd::own));
        }
    }
    if message
        .flags
        .intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC)
    {
        return Err(Errno::EMSGSIZE);
    }
    let fds = fds
        .into_iter()
        .map(fd::above_stdio)
        .collect::<Result<_>>()?;
    Ok((message.bytes, fds))
}

/// Binds a datagram socket to an abstract name; `None` when it is taken. The
/// name is free again when the last copy of the socket is closed. Parent only.
pub(crate) fn claim_abstract_name(name: &[u8]) -> Result<Option<OwnedFd>> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, bind, socket};
    let socket = socket(
        AddressFamily::Unix,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    match bind(socket.as_raw_fd(), &UnixAddr::new_abstract(name)?) {
        Ok(()) => Ok(Some(socket)),
        Err(Errno::EADDRINUSE) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_come_with_a_message_as_are_wanted() {
        let (ours, its) = pair().unwrap();
        let own = its.as_raw_fd();
        let mut room = [MaybeUninit::uninit(); 4];
        send_with(&ours, b"word", &[own; 3]).unwrap();
        let (bytes, fds) = receive_these::<3>(its.as_raw_fd(), &mut room).unwrap();
        assert_eq!(bytes, 4);
        // SAFETY: so many were written.
        assert_eq!(room.map(|byte| unsafe { byte.assume_init() }), *b"word");
        for fd in fds {
            assert!(fd > libc::STDERR_FILENO && fd::is_open(fd));
            drop(fd::own(fd));
        }
        for (text, fds, errno) in [
            (&b"word"[..], &[][..], Errno::EPROTO),
            (b"word", &[own], Errno::EPROTO),
            (b"word", &[own; 4], Errno::EMSGSIZE),
            (b"words", &[own; 3], Errno::EMSGSIZE),
        ] {
            send_with(&ours, text, fds).unwrap();
            assert_eq!(receive_these::<3>(its.as_raw_fd(), &mut room), Err(errno));
        }
        send_with(&ours, b"one", &[own]).unwrap();
        let (bytes, [fd]) = receive_these(own, &mut room).unwrap();
        assert!(bytes == 3 && fd::is_open(fd));
        drop(fd::own(fd));
        send_with(&ours, b"two", &[own; 2]).unwrap();
        assert_eq!(receive_these::<1>(own, &mut room), Err(Errno::EMSGSIZE));
        drop(ours);
        let end = receive_these::<3>(its.as_raw_fd(), &mut room);
        assert_eq!(end, Err(Errno::EPROTO));
    }

    #[test]
    fn what_is_said_before_the_end_wakes_nobody_and_is_not_lost() {
        let (ours, theirs) = pair().unwrap();
        send(theirs.as_raw_fd(), b"word").unwrap();
        let mut fds = [process::polled(ours.as_raw_fd(), 0)];
        process::poll(&mut fds, Some(0)).unwrap();
        assert_eq!(fds[0].revents, 0);
        drop(theirs);
        wait_for_end(&ours).unwrap();
        let mut buffer = [0; 8];
        assert_eq!(receive(ours.as_raw_fd(), &mut buffer, true), Ok(4));
        assert_eq!(receive(ours.as_raw_fd(), &mut buffer, true), Ok(0));
    }

    #[test]
    fn who_is_silenced_has_said_nothing_and_says_nothing_more() {
        let (ours, its) = pair().unwrap();
        assert_eq!(silence(&ours), Ok(true));
        assert_eq!(send(its.as_raw_fd(), b"late"), Err(Errno::EPIPE));
        let (ours, its) = pair().unwrap();
        send(its.as_raw_fd(), b"before").unwrap();
        assert_eq!(silence(&ours), Ok(false));
        let (ours, its) = pair().unwrap();
        drop(its);
        assert_eq!(silence(&ours), Ok(true));
    }
}
