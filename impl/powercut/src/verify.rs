//! Reads the site out after a cut and holds it against what its clients were told.
//!
//! Every acknowledged write is there, byte for byte and by its version id; what was deleted stays deleted; a write that
//! was never answered is there whole or not at all; nothing else is there; and no body file belongs to nobody. What was
//! unknown is known afterwards: what a site has shown once it may not lose at the next cut.

use crate::{
    history::{History, KEPT, Known, MARKED, PLAIN, Write, files_of},
    processes::client::{Answer, Client},
    seed::Draws,
    site::Site,
};
use bytes::Bytes;
use hyper::Method;
use std::{collections::BTreeMap, io, sync::Arc, time::Duration};
use tokio::task::JoinSet;

/// Readers at the same time.
const READERS: usize = 8;
/// The newest writes, which are all read after each cut; of older ones as many are chosen. At the end all are read.
const READ_EACH: usize = 1500;
/// How long collection may take: it begins when the site starts.
const COLLECTED_MAX: Duration = Duration::from_secs(20);

/// What may be wrong.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Acknowledged, and not there as it was: which, and the first that showed it.
    pub(crate) lost: BTreeMap<String, String>,
    /// There, and not what anybody wrote.
    pub(crate) torn: Vec<String>,
    /// Deleted, and there.
    pub(crate) back: Vec<String>,
    /// Body files of nobody, or fewer than there should be.
    pub(crate) files: Vec<String>,
    /// Writes that were read.
    pub(crate) read: usize,
    /// Writes that had no answer and are there.
    pub(crate) found: usize,
    /// Writes that had no answer and are not there.
    pub(crate) absent: usize,
}

impl Verdict {
    pub(crate) fn is_good(&self) -> bool {
        self.lost.is_empty() && [&self.torn, &self.back, &self.files].iter().all(|wrong| wrong.is_empty())
    }

    fn lose(&mut self, what: &str, why: impl Into<String>) {
        self.lost.entry(what.to_owned()).or_insert_with(|| why.into());
    }
}

/// What a read gave.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Read {
    Same,
    Absent,
    Different,
    /// No answer, or none that says either.
    No(String),
}

async fn read(client: &mut Client, write: &Write, version: Option<&str>) -> Read {
    match client.get(write.bucket, &write.key, version).await {
        Ok(answer) if answer.status == 200 && answer.body == write.body() => Read::Same,
        Ok(answer) if answer.status == 200 => Read::Different,
        Ok(answer) if answer.status == 404 => Read::Absent,
        Ok(answer) => Read::No(format!("was answered {}", answer.status)),
        Err(error) => Read::No(format!("was not answered: {error}")),
    }
}

/// A write with what its version gave, and what its key gives where a marker may hide it.
struct Seen {
    write: Write,
    by_version: Read,
    by_key: Option<Read>,
}

async fn read_all(site: &Site, writes: Vec<Write>) -> Vec<Seen> {
    let (mut readers, writes) = (JoinSet::new(), Arc::new(writes));
    for reader in 0..READERS {
        let (mut client, writes) = (site.client(), writes.clone());
        readers.spawn(async move {
            let mut seen = Vec::new();
            for write in writes.iter().skip(reader).step_by(READERS) {
                let by_version = read(&mut client, write, write.version.as_deref()).await;
                // Whoever waited in vain for the version does not wait again.
                let has_answer = !matches!(by_version, Read::No(_));
                let by_key = if write.bucket == MARKED && has_answer {
                    Some(read(&mut client, write, None).await)
                } else {
                    None
                };
                seen.push(Seen { write: write.clone(), by_version, by_key });
            }
            seen
        });
    }
    readers.join_all().await.into_iter().flatten().collect()
}

/// Bucket, key, id.
type Name = (&'static str, String, String);
/// The versions as they are listed, and how many files the body of each lies in.
type Listed = BTreeMap<Name, usize>;

fn field(of: &str, tag: &str) -> String {
    let value = of.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once("</"));
    value.map_or_else(String::new, |(value, _)| value.to_owned())
}

async fn list(client: &mut Client) -> io::Result<Listed> {
    let mut listed = Listed::new();
    for bucket in [KEPT, PLAIN, MARKED] {
        let (mut key, mut version) = (String::new(), String::new());
        loop {
            let query =
                [("versions", ""), ("key-marker", key.as_str()), ("version-id-marker", version.as_str())];
            let page = client.list(bucket, &query).await?;
            if page.status != 200 {
                return Err(io::Error::other(format!("listing {bucket} was answered {}", page.status)));
            }
            listed.extend(page.all("Version").iter().map(|line| {
                let size = field(line, "Size").parse().unwrap_or_default();
                ((bucket, field(line, "Key"), field(line, "VersionId")), files_of(size))
            }));
            if page.all("IsTruncated") != ["true"] {
                break;
            }
            key = page.all("NextKeyMarker").pop().unwrap_or_default();
            version = page.all("NextVersionIdMarker").pop().unwrap_or_default();
        }
    }
    Ok(listed)
}

/// Ends the uploads that a cut left half done: their parts are files too.
async fn abort_uploads(client: &mut Client) -> io::Result<()> {
    for bucket in [KEPT, PLAIN, MARKED] {
        let (of, credentials) = (client.bucket(bucket), client.credentials.clone());
        let page: Answer = client.list(bucket, &[("uploads", "")]).await?;
        for (key, id) in page.all("Key").into_iter().zip(page.all("UploadId")) {
            let abort = of.abort_multipart_upload(Some(&credentials), &key, &id);
            client.send(Method::DELETE, &abort, Bytes::new()).await?;
        }
    }
    Ok(())
}

/// Reads the site out; of a long history a choice, unless all of it is asked for.
pub(crate) async fn verify(site: &Site, history: &History, draws: &mut Draws, all: bool) -> Verdict {
    let mut verdict = Verdict::default();
    let mut client = site.client();
    let listed = match abort_uploads(&mut client).await {
        Ok(()) => list(&mut client).await,
        Err(error) => Err(error),
    };
    let mut listed = listed.unwrap_or_else(|error| {
        verdict.lose("the listing", error.to_string());
        Listed::new()
    });
    let files = listed.values().sum();
    let writes = history.writes().clone();
    let older = writes.len().saturating_sub(READ_EACH);
    let (mut asked, mut resolved, mut open) = (Vec::new(), Vec::new(), Vec::new());
    for (n, write) in writes.into_iter().enumerate() {
        if write.made == Known::Asked && write.bucket != PLAIN {
            open.push(write); // its version is not known: it is looked for in what nobody owns
        } else if all
            || n >= older
            || draws.below(older as u64) < READ_EACH as u64
            || write.ended == Known::Asked
        {
            asked.push(write);
        } else {
            listed.remove(&name_of(&write));
            resolved.push(write);
        }
    }
    verdict.read = asked.len();
    for seen in read_all(site, asked).await {
        let name = name_of(&seen.write);
        if let Some(write) = verdict.judge(seen) {
            let is_hidden = write.bucket != MARKED && write.ended == Known::Yes;
            if !is_hidden && listed.remove(&name).is_none() {
                verdict.lose(&called(&write), "is not listed");
            }
            resolved.push(write);
        }
    }
    for name in listed.into_keys() {
        if let Some(mut write) = author(&mut client, &name, &open).await {
            verdict.found += 1;
            (write.made, write.version) = (Known::Yes, Some(name.2));
            open.retain(|other| other.seed != write.seed);
            resolved.push(write);
        } else if author(&mut client, &name, &resolved).await.is_none_or(|write| !may_be_kept(&write)) {
            verdict.torn.push(format!("{name:?} is listed, and nobody wrote what it gives"));
        }
    }
    verdict.absent += open.len();
    resolved.sort_by_key(|write| write.seed);
    *history.writes() = resolved;
    if verdict.is_good() {
        verdict.files.extend(collected(site, files).await.err());
    }
    verdict
}

/// A key without versions that was deleted so soon that its client could not have seen the content, which is kept then.
fn may_be_kept(write: &Write) -> bool {
    write.bucket == PLAIN && write.ended == Known::Yes
}

fn called(write: &Write) -> String {
    format!("{}/{} {:?} of {} bytes", write.bucket, write.key, write.version, write.len)
}

fn name_of(write: &Write) -> Name {
    (write.bucket, write.key.clone(), write.version.clone().unwrap_or_else(|| "null".to_owned()))
}

/// Which of these writes a listed version is.
async fn author(client: &mut Client, name: &Name, of: &[Write]) -> Option<Write> {
    for write in of.iter().filter(|write| (write.bucket, &write.key) == (name.0, &name.1)) {
        if read(client, write, Some(&name.2)).await == Read::Same {
            return Some(write.clone());
        }
    }
    None
}

/// Waits until there are as many body files as there should be.
async fn collected(site: &Site, files: usize) -> Result<(), String> {
    let step = Duration::from_millis(20);
    for _ in 0..COLLECTED_MAX.as_millis() / step.as_millis() {
        if site.body_files() == files {
            return Ok(());
        }
        tokio::time::sleep(step).await;
    }
    Err(format!("{} body files, where what is there has {files}", site.body_files()))
}

impl Verdict {
    /// Judges one write; what is known of it now, if it is there or was deleted.
    fn judge(&mut self, seen: Seen) -> Option<Write> {
        let Seen { mut write, by_version, by_key } = seen;
        let what = called(&write);
        let ends_version = write.bucket != MARKED;
        match (by_version, write.ended) {
            (Read::Different, _) => self.torn.push(format!("{what} is not what was written")),
            (Read::Same, Known::Yes) if ends_version => {
                self.back.push(format!("{what} was deleted and is back"));
            }
            (Read::Same, _) => {
                self.found += u64::from(write.made == Known::Asked) as usize;
                write.made = Known::Yes;
                if ends_version {
                    write.ended = Known::No;
                }
            }
            (Read::Absent, ended) if ended != Known::No && ends_version => write.ended = Known::Yes,
            (Read::Absent, _) if write.made == Known::Asked => {
                self.absent += 1;
                return None;
            }
            (Read::Absent, _) => self.lose(&what, "is not there"),
            (Read::No(why), _) => self.lose(&what, why),
        }
        match (by_key, write.ended) {
            (None, _) => {}
            (Some(Read::Same), Known::Yes) => self.back.push(format!("{what} was hidden and shows again")),
            (Some(Read::Same), _) => write.ended = Known::No,
            (Some(Read::Absent), Known::No) => self.lose(&what, "is hidden, and nobody hid it"),
            (Some(Read::Absent), _) => write.ended = Known::Yes,
            (Some(Read::Different), _) => {
                self.torn.push(format!("{what} is not what was written, by its key"));
            }
            (Some(Read::No(why)), _) => self.lose(&what, format!("by its key {why}")),
        }
        Some(write)
    }
}
