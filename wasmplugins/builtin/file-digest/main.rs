//! file-digest says what files are by their digest, and whether they are still
//! what they should be.
mod files;
mod hashes;
#[path = "../../../sdk/rust/octopus.rs"]
mod octopus;
mod sums;

use files::File;
use hashes::{Hash, Kind};
use octopus::{fail, fail_with, ok, Context, HostError, Json, Response};

/// Files whose digests are in the result; a response has room for no more.
const SHOWN: usize = 5000;

fn main() {
    octopus::run(&[("digest", digest), ("verify", verify)]);
}

fn digest(ctx: &mut Context) -> Response {
    let path = ctx.params().get("path").text_or("").to_string();
    match digests(ctx, &path) {
        Ok(response) => response,
        Err(e) if e.code == "too_many" => {
            fail(400, format!("{} {} Name a pattern, or raise max_files.", path, e)).with_code("too_many")
        }
        Err(e) => fail_with(&e, format!("{} cannot be read: {}", path, e)),
    }
}

fn digests(ctx: &Context, path: &str) -> Result<Response, HostError> {
    let p = ctx.params();
    let kind = Kind::named(p.get("algorithm").text_or("sha256")).unwrap_or(Kind::Sha256);
    let facts = ctx.call("file.stat", &Json::object().with("path", path))?;
    let folder = facts.get("type").text() == Some("directory");
    let (list, skipped) = if folder {
        let most = p.get("max_files").int().unwrap_or(1000) as usize;
        let found = files::walk(ctx, path, p.get("pattern").text_or("*"), p.get("recursive").bool().unwrap_or(true), most)?;
        (found.files, found.skipped)
    } else {
        (vec![path.to_string()], 0)
    };
    let mut done: Vec<File> = Vec::new();
    for (i, file) in list.iter().enumerate() {
        if list.len() > 20 && i % 20 == 0 {
            ctx.progress(i as f64 / list.len() as f64, &format!("{} of {} files", i, list.len()));
        }
        done.push(files::digest(ctx, file, kind)?);
    }
    Ok(judge(p, path, kind, folder, &done, skipped))
}

/// The digest of a folder is that of the lines "digest  path below it", as
/// sha256sum prints them, by path.
fn tree(folder: &str, kind: Kind, done: &[File]) -> String {
    let mut hash = Hash::new(kind);
    for f in done {
        let below = f.path.strip_prefix(folder).unwrap_or(&f.path).trim_start_matches(|c| c == '/' || c == '\\');
        hash.add(format!("{}  {}\n", f.digest, below.replace('\\', "/")).as_bytes());
    }
    hash.end()
}

fn judge(p: &Json, path: &str, kind: Kind, folder: bool, done: &[File], skipped: i64) -> Response {
    let bytes: i64 = done.iter().map(|f| f.bytes).sum();
    let whole = if folder { tree(path, kind, done) } else { done[0].digest.clone() };
    let shown = done.iter().take(SHOWN).map(|f| Json::object().with("path", f.path.as_str()).with("bytes", f.bytes).with("digest", f.digest.as_str()));
    let result = Json::object()
        .with("path", path)
        .with("algorithm", kind.name())
        .with("digest", whole.as_str())
        .with("count", done.len())
        .with("bytes", bytes)
        .with("skipped", skipped)
        .with("files", shown.collect::<Vec<Json>>());
    let expected = p.get("expect").text_or("").to_ascii_lowercase();
    let answer = if !expected.is_empty() && expected != whole {
        let what = if Kind::of_length(expected.len()) == Some(kind) { "" } else { " The expected one is none of this algorithm." };
        fail(502, format!("{} has the {} {}, not the expected one.{}", path, kind.name(), whole, what))
            .with_code("digest_mismatch")
            .with_retry(false, 0)
    } else if folder {
        ok(format!("{} with {} and {} bytes has the {} {}.", path, count(done.len(), "file"), bytes, kind.name(), whole))
    } else {
        ok(format!("{} with {} bytes has the {} {}.", path, bytes, kind.name(), whole))
    };
    let row = Json::object().with("path", path).with("algorithm", kind.name()).with("digest", whole.as_str()).with("bytes", bytes);
    answer.with_result(result).with_metric("files", done.len() as f64).with_metric("bytes", bytes as f64).with_db("digests", row)
}

fn verify(ctx: &mut Context) -> Response {
    let path = ctx.params().get("sums").text_or("").to_string();
    let mut text = Vec::new();
    if let Err(e) = files::read(ctx, &path, |piece, _| if text.len() <= sums::MOST { text.extend_from_slice(piece) }) {
        return fail_with(&e, format!("{} cannot be read: {}", path, e));
    }
    if text.len() > sums::MOST {
        return fail(400, format!("{} is larger than {} MiB: it is no list of digests.", path, sums::MOST >> 20)).with_code("invalid_params");
    }
    let list = sums::parse(&String::from_utf8_lossy(&text));
    if list.entries.is_empty() {
        return fail(422, format!("{} lists no digests. A line is: digest, two spaces, file.", path)).with_code("no_digests");
    }
    let folder = ctx.params().get("folder").text().unwrap_or_else(|| files::parent(&path)).to_string();
    compare(ctx, &path, &folder, list)
}

fn compare(ctx: &Context, path: &str, folder: &str, list: sums::List) -> Response {
    let (mut good, mut bytes, mut changed, mut missing) = (0, 0, Vec::new(), Vec::new());
    let total = list.entries.len();
    for (i, e) in list.entries.iter().enumerate() {
        if total > 20 && i % 20 == 0 {
            ctx.progress(i as f64 / total as f64, &format!("{} of {} files", i, total));
        }
        let file = if sums::is_absolute(&e.path) { e.path.clone() } else { files::join(folder, &e.path) };
        match files::digest(ctx, &file, e.kind) {
            Ok(f) if f.digest == e.digest => {
                good += 1;
                bytes += f.bytes;
            }
            Ok(f) => changed.push(Json::object().with("path", file.as_str()).with("expected", e.digest.as_str()).with("digest", f.digest)),
            Err(e) if e.code == "not_found" => missing.push(file),
            Err(e) => return fail_with(&e, format!("{} cannot be read: {}", file, e)),
        }
    }
    let says = format!("{}: {} of {} as listed, {} changed, {} missing.", path, good, count(total, "file"), changed.len(), missing.len());
    let answer = if changed.is_empty() && missing.is_empty() {
        ok(says)
    } else {
        let first = changed.first().map_or(missing.first().map_or("", |m| m), |c| c.get("path").text_or("")).to_string();
        fail(502, format!("{} The first is {}.", says, first)).with_code("digest_mismatch").with_retry(false, 0)
    };
    let counts = [("files", total), ("changed", changed.len()), ("missing", missing.len())];
    let row = counts.iter().fold(Json::object().with("sums", path), |all, (name, n)| all.with(name, *n));
    let result = row.clone().with("bytes", bytes as i64).with("unreadable_lines", list.broken).with("changed_files", changed).with("missing_files", missing);
    counts.iter().fold(answer.with_result(result).with_db("verified", row), |a, (name, n)| a.with_metric(name, *n as f64))
}

fn count(n: usize, noun: &str) -> String {
    format!("{} {}{}", n, noun, if n == 1 { "" } else { "s" })
}
