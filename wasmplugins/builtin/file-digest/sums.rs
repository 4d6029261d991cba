//! Lists of digests, as sha256sum, md5sum and their likes write them.
use crate::hashes::Kind;

/// The size of a list in bytes that is read.
pub const MOST: usize = 8 << 20;

pub struct Entry {
    pub path: String,
    pub kind: Kind,
    /// In lower case.
    pub digest: String,
}

pub struct List {
    pub entries: Vec<Entry>,
    /// Lines that are neither empty, nor a comment, nor an entry.
    pub broken: i64,
}

pub fn parse(text: &str) -> List {
    let mut list = List { entries: Vec::new(), broken: 0 };
    for line in text.trim_start_matches('\u{feff}').lines() {
        match entry(line).or_else(|| tagged(line)) {
            Some(e) => list.entries.push(e),
            None if line.trim().is_empty() || line.starts_with('#') => {}
            None => list.broken += 1,
        }
    }
    list
}

/// "digest  file", where a star before the name says that it is binary.
fn entry(line: &str) -> Option<Entry> {
    let escaped = line.starts_with('\\');
    let line = line.strip_prefix('\\').unwrap_or(line);
    let at = line.find(' ')?;
    let name = &line[at + 1..];
    let name = name.strip_prefix(' ').or_else(|| name.strip_prefix('*')).unwrap_or(name);
    made(&line[..at], if escaped { unescape(name) } else { name.to_string() })
}

/// "SHA256 (file) = digest", as BSD writes it.
fn tagged(line: &str) -> Option<Entry> {
    let open = line.find(" (")?;
    let close = line.rfind(") = ")?;
    if close < open + 2 {
        return None;
    }
    made(&line[close + 4..], line[open + 2..close].to_string())
}

fn made(digest: &str, path: String) -> Option<Entry> {
    let kind = Kind::of_length(digest.len())?;
    if path.is_empty() || !digest.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some(Entry { path, kind, digest: digest.to_ascii_lowercase() })
}

/// Names with line ends or backslashes are written with \n, \r and \\.
fn unescape(name: &str) -> String {
    let mut out = String::new();
    let mut chars = name.chars();
    while let Some(c) = chars.next() {
        match if c == '\\' { chars.next() } else { None } {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some(other) => out.push(other),
            None => out.push(c),
        }
    }
    out
}

pub fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || path.starts_with('\\') || path.as_bytes().get(1) == Some(&b':')
}
