//! Files of the machine, through the host calls file.*.
use crate::hashes::{Hash, Kind};
use crate::octopus::{unbase64, Context, HostError, Json};

/// How much of a file one call brings. Zero bytes take six in JSON, and a
/// reply has room for 16 MiB.
const PIECE: i64 = 2 << 20;

pub struct File {
    pub path: String,
    pub bytes: i64,
    pub digest: String,
}

pub fn digest(ctx: &Context, path: &str, kind: Kind) -> Result<File, HostError> {
    let (mut hash, mut at) = (Hash::new(kind), 0);
    read(ctx, path, |piece, size| {
        hash.add(piece);
        at += piece.len() as i64;
        if size > 8 * PIECE {
            ctx.progress(at as f64 / size as f64, path);
        }
    })?;
    Ok(File { path: path.to_string(), bytes: at, digest: hash.end() })
}

/// Calls each with every piece of a file, and its size.
pub fn read(ctx: &Context, path: &str, mut each: impl FnMut(&[u8], i64)) -> Result<(), HostError> {
    let mut offset = 0;
    loop {
        if ctx.cancelled() {
            return Err(error("cancelled", "It was asked to end."));
        }
        let reply = ctx.call("file.read", &Json::object().with("path", path).with("offset", offset).with("max_bytes", PIECE))?;
        let n = reply.get("bytes").int().unwrap_or(0);
        let size = reply.get("size").int().unwrap_or(0);
        match reply.get("body_base64").text() {
            Some(text) => each(&unbase64(text).unwrap_or_default(), size),
            None => each(reply.get("body").text_or("").as_bytes(), size),
        }
        offset += n;
        if n == 0 || reply.get("eof").bool() == Some(true) {
            return Ok(());
        }
    }
}

/// What a walk found below a folder.
#[derive(Default)]
pub struct Found {
    pub files: Vec<String>,
    /// Symbolic links, sockets and the like, which are not followed or opened.
    pub skipped: i64,
}

/// Lists the files below a folder whose names match, by path. More than most is an error.
pub fn walk(ctx: &Context, folder: &str, pattern: &str, recursive: bool, most: usize) -> Result<Found, HostError> {
    let mut found = Found::default();
    let mut folders = vec![folder.to_string()];
    while let Some(folder) = folders.pop() {
        let mut after = String::new();
        loop {
            let page = ctx.call("file.list", &Json::object().with("path", folder.as_str()).with("after", after.as_str()))?;
            let entries = match page.get("entries") {
                Json::Array(entries) => entries.as_slice(),
                _ => &[],
            };
            for e in entries {
                after = e.get("name").text_or("").to_string();
                let path = join(&folder, &after);
                match e.get("type").text_or("") {
                    "directory" if recursive => folders.push(path),
                    "directory" => {}
                    "file" if matches(pattern, &after) => found.files.push(path),
                    "file" => {}
                    _ => found.skipped += 1,
                }
            }
            if found.files.len() > most {
                return Err(error("too_many", &format!("There are more than {} files.", most)));
            }
            if entries.is_empty() || page.get("more").bool() != Some(true) {
                break;
            }
        }
    }
    found.files.sort();
    Ok(found)
}

fn error(code: &str, message: &str) -> HostError {
    HostError { op: String::new(), code: code.into(), message: message.into(), retryable: false }
}

/// A name below a folder, with the separator that the folder's path has.
pub fn join(folder: &str, name: &str) -> String {
    let separator = if folder.contains('\\') && !folder.contains('/') { '\\' } else { '/' };
    match folder.strip_suffix(separator) {
        Some(short) => format!("{}{}{}", short, separator, name),
        None => format!("{}{}{}", folder, separator, name),
    }
}

/// The folder of a path.
pub fn parent(path: &str) -> &str {
    match path.rfind(|c| c == '/' || c == '\\') {
        Some(0) => "/",
        Some(i) => &path[..i],
        None => path,
    }
}

/// Whether a name matches a pattern in which * stands for any characters and ? for one.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut i, mut j, mut star) = (0, 0, None);
    while j < n.len() {
        if i < p.len() && (p[i] == '?' || p[i] == n[j]) && p[i] != '*' {
            i += 1;
            j += 1;
        } else if i < p.len() && p[i] == '*' {
            star = Some((i, j));
            i += 1;
        } else if let Some((at, from)) = star {
            star = Some((at, from + 1));
            i = at + 1;
            j = from + 1;
        } else {
            return false;
        }
    }
    p[i..].iter().all(|c| *c == '*')
}
