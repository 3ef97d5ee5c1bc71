//! The binary form of D-Bus messages, as much of it as one call and its answer need
//! (D-Bus Specification, "Message Protocol"). It reads foreign bytes: bounded, total,
//! never panics. It opens nothing and decides nothing.

/// The longest message that is taken; the specification allows 128 MiB.
pub(super) const MOST_BYTES: usize = 64 * 1024;
/// The part of the header whose length is known.
pub(super) const FIXED: usize = 16;

const CALL: u8 = 1;
const RETURN: u8 = 2;
const ERROR: u8 = 3;

/// Writes values, each aligned to its size from the beginning.
#[derive(Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn byte(&mut self, value: u8) -> &mut Writer {
        self.0.push(value);
        self
    }

    pub(super) fn align(&mut self, to: usize) -> &mut Writer {
        let length = self.0.len().next_multiple_of(to);
        self.0.resize(length, 0);
        self
    }

    pub(super) fn u32(&mut self, value: u32) -> &mut Writer {
        self.align(4).0.extend(value.to_le_bytes());
        self
    }

    /// A string or an object path.
    pub(super) fn string(&mut self, text: &str) -> &mut Writer {
        self.u32(text.len() as u32);
        self.0.extend(text.as_bytes());
        self.byte(0)
    }

    pub(super) fn signature(&mut self, text: &str) -> &mut Writer {
        self.byte(text.len() as u8);
        self.0.extend(text.as_bytes());
        self.byte(0)
    }

    /// An array, whose elements are aligned to `to`: its length does not count the
    /// padding before the first.
    pub(super) fn array(&mut self, to: usize, fill: impl FnOnce(&mut Writer)) -> &mut Writer {
        self.u32(0);
        let length_at = self.0.len() - 4;
        self.align(to);
        let start = self.0.len();
        fill(self);
        let length = (self.0.len() - start) as u32;
        if let Some(place) = self.0.get_mut(length_at..length_at + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        self
    }

    pub(super) fn bytes(self) -> Vec<u8> {
        self.0
    }
}

/// A method to be called.
pub(super) struct Call<'a> {
    /// Bus name; `None` where there is no bus.
    pub(super) destination: Option<&'a str>,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) member: &'a str,
    pub(super) signature: &'a str,
    pub(super) body: Vec<u8>,
}

impl Call<'_> {
    /// The whole message, little-endian.
    pub(super) fn message(&self, serial: u32) -> Vec<u8> {
        let mut out = Writer::default();
        out.byte(b'l').byte(CALL).byte(0).byte(1);
        out.u32(self.body.len() as u32).u32(serial);
        out.array(8, |fields| {
            field(fields, 1, "o", self.path);
            field(fields, 2, "s", self.interface);
            field(fields, 3, "s", self.member);
            if let Some(name) = self.destination {
                field(fields, 6, "s", name);
            }
            if !self.signature.is_empty() {
                fields
                    .align(8)
                    .byte(8)
                    .signature("g")
                    .signature(self.signature);
            }
        });
        out.align(8);
        out.0.extend(&self.body);
        out.bytes()
    }
}

fn field(fields: &mut Writer, code: u8, kind: &str, value: &str) {
    fields.align(8).byte(code).signature(kind).string(value);
}

/// A message that arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// An answer to the call of this serial; its first value when that is a string
    /// or an object path.
    Return { to: u32, value: Option<String> },
    /// A refusal of the call of this serial: the error's name and its words.
    Error {
        to: u32,
        name: String,
        words: String,
    },
    /// A signal, or a call: not for us.
    Other,
}

/// The length of the whole message that begins with these bytes; `None` when no
/// message that is taken does.
pub(super) fn length(fixed: &[u8; FIXED]) -> Option<usize> {
    let mut reader = Reader::new(fixed, fixed[0])?;
    reader.at = 4;
    let body = reader.u32()? as usize;
    reader.at = 12;
    let fields = reader.u32()? as usize;
    if fixed[3] != 1 || body > MOST_BYTES || fields > MOST_BYTES {
        return None;
    }
    let length = (FIXED + fields).next_multiple_of(8) + body;
    (length <= MOST_BYTES).then_some(length)
}

/// A whole message; `None` when it is none.
pub(super) fn parse(bytes: &[u8]) -> Option<Message> {
    let fixed: &[u8; FIXED] = bytes.get(..FIXED)?.try_into().ok()?;
    if length(fixed)? != bytes.len() {
        return None;
    }
    let mut reader = Reader::new(bytes, fixed[0])?;
    reader.at = 12;
    let end = FIXED + reader.u32()? as usize;
    let (mut to, mut name, mut signature) = (None, None, None);
    while reader.at < end {
        reader.align(8)?;
        let code = reader.byte()?;
        let kind = reader.signature()?;
        match (code, kind) {
            (4, "s") => name = Some(reader.string()?),
            (5, "u") => to = Some(reader.u32()?),
            (8, "g") => signature = Some(reader.signature()?),
            (_, kind) => reader.skip(kind)?,
        }
    }
    if reader.at != end {
        return None;
    }
    reader.align(8)?;
    let first = match signature.and_then(|signature| signature.chars().next()) {
        Some('s' | 'o') => Some(reader.string()?.to_owned()),
        _ => None,
    };
    match fixed[1] {
        RETURN => Some(Message::Return {
            to: to?,
            value: first,
        }),
        ERROR => Some(Message::Error {
            to: to?,
            name: name?.to_owned(),
            words: first.unwrap_or_default(),
        }),
        _ => Some(Message::Other),
    }
}

/// Reads values, each aligned to its size from the beginning.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    big: bool,
}

impl<'a> Reader<'a> {
    fn new(bytes: &'a [u8], order: u8) -> Option<Reader<'a>> {
        let big = match order {
            b'l' => false,
            b'B' => true,
            _ => return None,
        };
        Some(Reader { bytes, at: 0, big })
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// Padding must be zero.
    fn align(&mut self, to: usize) -> Option<()> {
        let padding = self.at.next_multiple_of(to) - self.at;
        self.take(padding)?
            .iter()
            .all(|byte| *byte == 0)
            .then_some(())
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn u32(&mut self) -> Option<u32> {
        self.align(4)?;
        let bytes = self.take(4)?.try_into().ok()?;
        Some(match self.big {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        })
    }

    fn string(&mut self) -> Option<&'a str> {
        let length = self.u32()? as usize;
        self.text(length)
    }

    fn signature(&mut self) -> Option<&'a str> {
        let length = self.byte()?;
        self.text(length.into())
    }

    /// Text and the NUL behind it.
    fn text(&mut self, length: usize) -> Option<&'a str> {
        let text = std::str::from_utf8(self.take(length)?).ok()?;
        (self.byte()? == 0 && !text.contains('\0')).then_some(text)
    }

    /// A value of a header field that we do not use. All that there are have one of
    /// these types.
    fn skip(&mut self, kind: &str) -> Option<()> {
        match kind {
            "y" => self.byte().map(drop),
            "n" | "q" => self.align(2).and_then(|()| self.take(2)).map(drop),
            "b" | "u" | "i" | "h" => self.u32().map(drop),
            "x" | "t" | "d" => self.align(8).and_then(|()| self.take(8)).map(drop),
            "s" | "o" => self.string().map(drop),
            "g" => self.signature().map(drop),
            _ => None,
        }
    }
}

/// An answer, as a manager writes it. For tests of whoever reads answers.
#[cfg(test)]
pub(super) fn answer(to: u32, error: Option<&str>, text: &str) -> Vec<u8> {
    let mut body = Writer::default();
    body.string(text);
    let body = body.bytes();
    let mut out = Writer::default();
    let kind = if error.is_some() { ERROR } else { RETURN };
    out.byte(b'l').byte(kind).byte(1).byte(1);
    out.u32(body.len() as u32).u32(7);
    out.array(8, |fields| {
        fields.byte(5).signature("u").u32(to);
        if let Some(name) = error {
            field(fields, 4, "s", name);
        }
        field(fields, 7, "s", "org.freedesktop.systemd1");
        fields.align(8).byte(8).signature("g");
        fields.signature(if error.is_some() { "s" } else { "o" });
        // A field of a later version of the specification.
        fields
            .align(8)
            .byte(200)
            .signature("t")
            .align(8)
            .u32(1)
            .u32(2);
    });
    out.align(8);
    out.0.extend(body);
    out.bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `org.freedesktop.DBus.Hello`, as the specification lays it out, by hand.
    #[test]
    fn a_call_is_laid_out_as_specified() {
        let call = Call {
            destination: Some("a.b"),
            path: "/a",
            interface: "i.f",
            member: "M",
            signature: "u",
            body: 9u32.to_le_bytes().to_vec(),
        };
        let mut wanted = Vec::new();
        wanted.extend(b"l\x01\x00\x01\x04\0\0\0\x05\0\0\0");
        wanted.extend(71u32.to_le_bytes());
        wanted.extend(b"\x01\x01o\0\x02\0\0\0/a\0\0\0\0\0\0");
        wanted.extend(b"\x02\x01s\0\x03\0\0\0i.f\0\0\0\0\0");
        wanted.extend(b"\x03\x01s\0\x01\0\0\0M\0\0\0\0\0\0\0");
        wanted.extend(b"\x06\x01s\0\x03\0\0\0a.b\0\0\0\0\0");
        wanted.extend(b"\x08\x01g\0\x01u\0");
        wanted.extend(b"\0");
        wanted.extend(b"\x09\0\0\0");
        let message = call.message(5);
        assert_eq!(message, wanted);
        assert_eq!(
            length(message[..16].try_into().unwrap()),
            Some(message.len())
        );
    }

    #[test]
    fn answers_are_read() {
        let bytes = answer(3, None, "/org/freedesktop/systemd1/job/1");
        let value = Some(String::from("/org/freedesktop/systemd1/job/1"));
        assert_eq!(parse(&bytes), Some(Message::Return { to: 3, value }));
        let bytes = answer(3, Some("a.Error"), "no");
        let (name, words) = (String::from("a.Error"), String::from("no"));
        assert_eq!(parse(&bytes), Some(Message::Error { to: 3, name, words }));
    }

    #[test]
    fn the_other_byte_order_is_read() {
        let mut bytes = vec![b'B', RETURN, 1, 1];
        for number in [0u32, 9, 8] {
            bytes.extend(number.to_be_bytes());
        }
        bytes.extend(b"\x05\x01u\0");
        bytes.extend(6u32.to_be_bytes());
        assert_eq!(parse(&bytes), Some(Message::Return { to: 6, value: None }));
    }

    #[test]
    fn what_is_too_long_is_no_message() {
        let mut fixed = [0u8; FIXED];
        fixed[..4].copy_from_slice(b"l\x02\0\x01");
        assert_eq!(length(&fixed), Some(16));
        fixed[4..8].copy_from_slice(&(MOST_BYTES as u32).to_le_bytes());
        assert_eq!(length(&fixed), None);
        fixed[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        fixed[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(length(&fixed), None);
        fixed = [0; FIXED];
        assert_eq!(length(&fixed), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_to_an_end(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn a_message_spoilt_anywhere_is_read_to_an_end(
            spoil in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in any::<prop::sample::Index>(),
            shorten: bool,
        ) {
            let mut bytes = answer(1, Some("a.b.Error"), "words");
            for (at, byte) in spoil {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if shorten {
                bytes.truncate(cut.index(bytes.len()));
            }
            let _ = parse(&bytes);
        }

        #[test]
        fn what_was_written_is_read(to: u32, name in "[a-z.]{1,40}", words in "[^\0]{0,200}", error: bool) {
            let bytes = answer(to, error.then_some(&name), &words);
            let wanted = match error {
                true => Message::Error { to, name, words },
                false => Message::Return { to, value: Some(words) },
            };
            prop_assert_eq!(parse(&bytes), Some(wanted));
        }
    }
}
