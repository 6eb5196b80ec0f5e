//! Who imports whom: reads the sources of a crate and holds them against a table of floors.
//!
//! Both `tests/architecture.rs` use it, each with the table of its crate. It reads tokens, not lines: comments, strings
//! and everything under `#[cfg(test)]` are left out; `use` trees, `super::` and paths within expressions are followed. It
//! does not look into what macros make.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Lines of a file beyond which it no longer holds one idea.
const LINES_MAX: usize = 500;

/// One floor: its modules, and everything that they may name.
pub(crate) struct Floor {
    /// The modules, the folders' files included. Those of one floor may import each other. `""` is what no other floor has.
    pub(crate) modules: &'static [&'static str],
    /// Modules of lower floors, and of [`sources`]' watched names those that are allowed here. `"*"` is anything.
    pub(crate) may: &'static [&'static str],
    /// Why not more.
    pub(crate) because: &'static str,
}

/// A source file, read.
pub(crate) struct Source {
    file: String,
    /// Its module below the crate, as `store::tx`; `lib` and `main` are roots.
    module: String,
    lines: usize,
    has_header: bool,
    /// Lines with what is named there: `crate::store::keys`, `redb::Database`, `.commit`.
    named: Vec<(usize, String)>,
    /// Modules declared here for tests only.
    tests: Vec<String>,
}

/// Reads all sources below `src`. `watched` are names to look out for besides our own modules: crates, and methods as
/// `.name`.
pub(crate) fn sources(src: &Path, watched: &[&str]) -> Vec<Source> {
    let mut files = Vec::new();
    walk(src, &mut files);
    files.sort();
    assert!(!files.is_empty(), "no sources below {}", src.display());
    let mut sources: Vec<Source> = files
        .iter()
        .map(|path| {
            let text = fs::read_to_string(path).expect("a source file is readable text");
            let below = path.strip_prefix(src).expect("found below it").to_str().expect("a plain name");
            read(below, &text, watched)
        })
        .collect();
    let tests: BTreeSet<String> = sources.iter().flat_map(|source| source.tests.iter().cloned()).collect();
    for source in &mut sources {
        if tests.iter().any(|test| is_within(&source.module, test)) {
            source.named.clear();
            source.has_header = true; // what it tests is said where it is declared
        }
    }
    sources
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources is readable") {
        let path = entry.expect("a folder of sources is readable").path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Reads one file; `file` is its path below `src`.
pub(crate) fn read(file: &str, text: &str, watched: &[&str]) -> Source {
    let module = file.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
    let here = if matches!(module.as_str(), "lib" | "main") { "" } else { &module };
    let tokens = tokens(text);
    let children = tokens.windows(3).filter(|w| w[0].1 == "mod" && w[2].1 == ";").map(|w| w[1].1).collect();
    let mut reader = Reader { tokens, children, watched, module: here, named: Vec::new(), tests: Vec::new() };
    reader.run();
    let (named, tests) = (reader.named, reader.tests);
    let has_header = text.starts_with("//!");
    Source { file: file.into(), module, lines: text.lines().count(), has_header, named, tests }
}

/// Everything that breaks the rules, one line each.
pub(crate) fn broken(sources: &[Source], floors: &[Floor]) -> Vec<String> {
    let mut broken = Vec::new();
    for (n, floor) in floors.iter().enumerate() {
        let above = floors[n..].iter().flat_map(|floor| floor.modules).collect::<Vec<_>>();
        broken.extend(
            floor.may.iter().filter(|may| above.contains(may)).map(|may| {
                format!("the table lets {:?} import {may:?}, which is not below it", floor.modules)
            }),
        );
    }
    for Source { file, module, lines, has_header, named, .. } in sources {
        if *lines > LINES_MAX {
            broken.push(format!(
                "src/{file}: {lines} lines; a file of more than {LINES_MAX} holds more than one idea"
            ));
        }
        if !has_header {
            broken.push(format!(
                "src/{file}:1: a file opens with `//!`: what it is, why it exists, what always holds"
            ));
        }
        let Some(floor) = floor_of(floors, module) else {
            broken.push(format!("src/{file}: module `{module}` stands on no floor: add it to the table"));
            continue;
        };
        for (line, path) in named {
            let target = match path.strip_prefix("crate::") {
                Some(inside) => {
                    let other = floor_of(floors, inside).map(|other| other.modules);
                    if other == Some(floor.modules) {
                        continue;
                    }
                    module_of(floors, inside).unwrap_or(inside)
                }
                None => path.split("::").next().unwrap_or(path),
            };
            if !floor.may.contains(&target) && !floor.may.contains(&"*") {
                let (may, because) = (floor.may.join(", "), floor.because);
                broken.push(format!(
                    "src/{file}:{line}: `{path}`: `{module}` may name only [{may}]: {because}"
                ));
            }
        }
    }
    broken
}

/// The module of the table that a path is in: the longest that fits.
fn module_of(floors: &[Floor], path: &str) -> Option<&'static str> {
    let modules = floors.iter().flat_map(|floor| floor.modules).copied();
    modules.filter(|module| is_within(path, module)).max_by_key(|module| module.len())
}

fn floor_of<'f>(floors: &'f [Floor], path: &str) -> Option<&'f Floor> {
    let module = module_of(floors, path)?;
    floors.iter().find(|floor| floor.modules.contains(&module))
}

fn is_within(path: &str, module: &str) -> bool {
    module.is_empty()
        || path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

struct Reader<'a> {
    tokens: Vec<(usize, &'a str)>,
    /// Modules that the file declares: paths may begin with them.
    children: BTreeSet<&'a str>,
    watched: &'a [&'a str],
    module: &'a str,
    named: Vec<(usize, String)>,
    tests: Vec<String>,
}

impl<'a> Reader<'a> {
    fn at(&self, n: usize) -> &'a str {
        self.tokens.get(n).map_or("", |(_, token)| token)
    }

    fn run(&mut self) {
        // Modules in the file itself, each with the depth of its brace.
        let (mut n, mut depth, mut inline) = (0, 0, Vec::<(usize, &str)>::new());
        while n < self.tokens.len() {
            let token = self.at(n);
            match token {
                "#" if self.at(n + 1) == "[" => {
                    let end = self.closing(n + 1);
                    let is_test = matches!(self.at(n + 2), "cfg")
                        && (self.at(n + 4) == "test"
                            || (self.at(n + 4) == "all" && (n..end).any(|n| self.at(n) == "test")));
                    n = if is_test { self.item(end + 1) } else { end + 1 };
                    continue;
                }
                "mod" if self.at(n + 2) == "{" => inline.push((depth + 1, self.at(n + 1))),
                "{" => depth += 1,
                "}" => {
                    inline.retain(|(at, _)| *at != depth);
                    depth = depth.saturating_sub(1);
                }
                "." if self.at(n + 2) == "(" => {
                    let call = format!(".{}", self.at(n + 1));
                    if self.watched.contains(&call.as_str()) {
                        self.named.push((self.tokens[n].0, call));
                    }
                }
                _ if self.begins_path(n) => {
                    let mut here: Vec<&str> =
                        if self.module.is_empty() { Vec::new() } else { self.module.split("::").collect() };
                    let base = match token {
                        "crate" => vec!["crate"],
                        "self" | "super" => {
                            here.extend(inline.iter().map(|(_, name)| *name));
                            [vec!["crate"], here].concat()
                        }
                        child if self.children.contains(child) => [vec!["crate"], here, vec![child]].concat(),
                        watched => vec![watched],
                    };
                    n = self.path(n, base);
                    continue;
                }
                _ => {}
            }
            n += 1;
        }
    }

    /// Whether a path that matters begins here.
    fn begins_path(&self, n: usize) -> bool {
        let token = self.at(n);
        let is_root = matches!(token, "crate" | "self" | "super")
            || self.children.contains(token)
            || self.watched.contains(&token);
        let follows =
            n > 0 && (self.at(n - 1) == "." || (self.at(n - 1) == "::" && n > 1 && is_word(self.at(n - 2))));
        // `use redb;` and `extern crate redb;` count too.
        let is_whole = self.at(n + 1) == "::"
            || (n > 0 && matches!(self.at(n - 1), "use" | "crate") && self.watched.contains(&token));
        is_root && is_whole && !follows
    }

    /// Notes the path, or the tree of paths, that goes on after token `n`, which stands for `base`. Returns what follows.
    fn path(&mut self, mut n: usize, mut base: Vec<&'a str>) -> usize {
        let line = self.tokens[n].0;
        if self.at(n) == "super" {
            base.pop();
        }
        while self.at(n + 1) == "::" {
            match self.at(n + 2) {
                "super" => {
                    base.pop();
                }
                "{" => {
                    let end = self.closing(n + 2);
                    n += 3;
                    while n < end {
                        if is_word(self.at(n)) && self.at(n) != "as" {
                            let branch = if self.at(n) == "self" {
                                base.clone()
                            } else {
                                [&base[..], &[self.at(n)]].concat()
                            };
                            n = self.path(n, branch);
                        } else if self.at(n) == "as" {
                            n += 2;
                        } else {
                            if self.at(n) == "*" {
                                self.named.push((self.tokens[n].0, base.join("::")));
                            }
                            n += 1;
                        }
                    }
                    return end + 1;
                }
                "*" => {
                    n += 2;
                    break;
                }
                word if is_word(word) => base.push(word),
                _ => break,
            }
            n += 2;
        }
        self.named.push((line, base.join("::")));
        n + 1
    }

    /// The end of the item that begins at `n`; a module that it declares is for tests.
    fn item(&mut self, mut n: usize) -> usize {
        while self.at(n) == "#" && self.at(n + 1) == "[" {
            n = self.closing(n + 1) + 1;
        }
        let mut is_use = false;
        while n < self.tokens.len() {
            match self.at(n) {
                "use" => is_use = true,
                "mod" if self.at(n + 2) == ";" => {
                    let name = self.at(n + 1);
                    let parent =
                        if self.module.is_empty() { String::new() } else { format!("{}::", self.module) };
                    self.tests.push(format!("{parent}{name}"));
                }
                ";" => return n + 1,
                "{" if !is_use => return self.closing(n) + 1,
                "(" | "[" | "{" => n = self.closing(n),
                _ => {}
            }
            n += 1;
        }
        n
    }

    /// The bracket that closes the one at `n`.
    fn closing(&self, n: usize) -> usize {
        let mut depth = 0;
        for at in n..self.tokens.len() {
            match self.at(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len()
    }
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words, `::` and single signs, each with its line; no comments, literals or lifetimes.
fn tokens(text: &str) -> Vec<(usize, &str)> {
    let (mut rest, mut line, mut found) = (text, 1, Vec::new());
    while let Some(first) = rest.chars().next() {
        let word = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (len, is_token) = if let Some(len) = literal(rest) {
            (len, false)
        } else if word > 0 {
            (word, true)
        } else if rest.starts_with("::") {
            (2, true)
        } else {
            (first.len_utf8(), !first.is_whitespace())
        };
        let (token, after) = rest.split_at(len);
        if is_token {
            found.push((line, token));
        }
        line += token.matches('\n').count();
        rest = after;
    }
    found
}

/// The length of the comment, literal or lifetime that the text begins with.
fn literal(text: &str) -> Option<usize> {
    let until =
        |from: usize, end: &str| text[from..].find(end).map_or(text.len(), |at| from + at + end.len());
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    if text.starts_with("/*") {
        let (mut depth, mut at) = (0, 0);
        while at < text.len() {
            match text.as_bytes()[at..] {
                [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
                [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
            if depth == 0 {
                break;
            }
        }
        return Some(at);
    }
    let marks = text.trim_start_matches(['b', 'c']);
    if let Some(raw) = marks.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') && text.len() - marks.len() <= 1 {
            let quote = text.len() - raw.len() + hashes + 1;
            return Some(until(quote, &format!("\"{}", "#".repeat(hashes))));
        }
    }
    if text.starts_with('"') {
        return Some(quoted(text, b'"'));
    }
    let after = text.strip_prefix('\'')?;
    let second = after.chars().next()?;
    if second == '\\' || after[second.len_utf8()..].starts_with('\'') {
        return Some(quoted(text, b'\''));
    }
    Some(1 + after.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(after.len()))
}

/// The length of a literal up to its closing quote.
fn quoted(text: &str, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(text.len())
}
