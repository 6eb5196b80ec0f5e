//! Clients at a site: they work through their part of the plan, one operation after the other, and write down what they
//! were told. They call the engine's own face, in the site's process; the S3 face comes with the daemon.

use super::{Action, PATIENCE, body};
use crate::{
    history::{Dump, Ending, History, KeyRead, Place, Shown, VersionRead},
    plan::{Plan, PlannedOp},
    world::fabric,
};
use anabranch::{
    engine::{
        Change, Context, DeleteRequest, Deleted, Engine, Error, GetRequest, ListRequest, Listed, Page,
        PutRequest, VersionKind, VersionRef, Written,
    },
    env::{Env, timeout},
    object::BucketId,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

/// Whose buckets the clients use.
pub const OWNER: &str = "tenant";

/// How old an answer may be to be written on: well within the engine's blind window.
const FRESH: Duration = Duration::from_millis(400);
/// Versions on one page of a listing: few, so that listings go on where they stopped.
const LISTED_MAX: usize = 50;
/// How often a client looks before it takes what it got.
const LOOKS: u32 = 2;

/// A bucket's identity.
pub fn bucket(name: &str) -> BucketId {
    BucketId::new(name, OWNER).expect("plans use valid names")
}

/// What outlives a site's processes: the history and how far each client has come.
#[derive(Default)]
pub struct Notebook {
    /// What happened.
    pub history: History,
    /// For each `(site, client)` the place in the plan's operations where it goes on.
    pub cursor: BTreeMap<(u16, u16), usize>,
    /// The clients that have come to the end of the plan.
    pub finished: BTreeSet<(u16, u16)>,
    /// Tokens given out, by key: to be misused.
    tokens: BTreeMap<(String, String), Context>,
}

/// The notebook, shared by all clients of a run.
pub type Shared = Arc<Mutex<Notebook>>;

/// One client's connection to its site.
pub struct Client<E: Env> {
    /// The site's engine.
    pub engine: Engine<E>,
    /// The site's world, for the client's own timers.
    pub env: E,
    /// Where it writes down.
    pub notebook: Shared,
}

impl<E: Env> Clone for Client<E> {
    fn clone(&self) -> Self {
        Self { engine: self.engine.clone(), env: self.env.clone(), notebook: self.notebook.clone() }
    }
}

impl<E: Env> Client<E> {
    /// Works through the rest of this client's part of the plan.
    pub async fn work(self, plan: Arc<Plan>, site: u16, client: u16) {
        // Since when this process's client has had nothing to do.
        let mut free_since = Duration::ZERO;
        loop {
            let next = {
                let mut notebook = self.notes();
                let cursor = notebook.cursor.entry((site, client)).or_default();
                let rest = plan.ops[*cursor..].iter().position(|op| op.site == site && op.client == client);
                rest.map(|skip| {
                    *cursor += skip + 1;
                    plan.ops[*cursor - 1].clone()
                })
            };
            let Some(op) = next else {
                self.notes().finished.insert((site, client));
                return;
            };
            let now = fabric::now();
            if now > op.at + PATIENCE && op.at < free_since {
                continue; // its client was still busy with an earlier one: it was never begun
            }
            if now > op.at + PATIENCE {
                // The site was down when its turn came: its client got no connection.
                let mut notebook = self.notes();
                notebook.history.invoke(op.id, op.at);
                let operation = notebook.history.get_mut(op.id);
                operation.ending = Ending::Refused("no connection".into());
                operation.completed = Some(op.at);
                continue;
            }
            fabric::sleep(op.at.saturating_sub(now)).await;
            self.notes().history.invoke(op.id, fabric::now());
            let ending = timeout(&self.env, PATIENCE, self.perform(&op)).await.unwrap_or(Ending::Unknown);
            let mut notebook = self.notes();
            let operation = notebook.history.get_mut(op.id);
            operation.ending = ending;
            free_since = fabric::now();
            operation.completed = Some(free_since);
        }
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notebook> {
        self.notebook.lock().expect("no client panics with the notebook")
    }

    async fn perform(&self, op: &PlannedOp) -> Ending {
        match &op.action {
            Action::Get => {
                let (shown, _) = self.look(op, None).await;
                let ending = match &shown {
                    Shown::Unavailable(why) => Ending::Refused(why.clone()),
                    _ => Ending::Acked,
                };
                self.notes().history.get_mut(op.id).answer = Some(shown);
                ending
            }
            Action::Put { size } => {
                self.look_first(op).await;
                self.put(op, *size, None).await
            }
            Action::ReadModifyWrite { size } => {
                let context = self.look_first(op).await;
                self.notes().history.get_mut(op.id).by_context = context.is_some();
                self.put(op, *size, context).await
            }
            Action::ForeignToken { size } => {
                self.look_first(op).await;
                let place = op.place();
                let token = {
                    let notebook = self.notes();
                    let mut others = notebook.tokens.iter().filter(|(key, _)| **key != place);
                    others.next().map(|(_, token)| token.clone())
                };
                match token {
                    Some(token) => self.put(op, *size, Some(token)).await,
                    None => Ending::Refused("no token of another key yet".into()),
                }
            }
            Action::Delete => {
                self.look_first(op).await;
                let request = DeleteRequest {
                    bucket: bucket(&op.bucket),
                    key: op.key.clone(),
                    version: None,
                    context: None,
                    condition: None,
                    bypass: false,
                };
                self.end_delete(op, &self.engine.delete(request).await)
            }
            Action::DeleteVersion => self.delete_version(op).await,
            Action::Tag => {
                let tags = BTreeMap::from([("by".to_owned(), op.id.to_string())]);
                ending(&self.engine.change(&bucket(&op.bucket), &op.key, None, Change::Tags(tags)).await)
            }
            Action::Configure { field, value } => {
                ending(&self.engine.configure_bucket(&bucket(&op.bucket), field, value).await)
            }
            Action::ToggleBucket => match self.engine.create_bucket(&bucket(&op.bucket), &[]).await {
                Err(Error::BucketAlreadyOwned(_)) => {
                    ending(&self.engine.delete_bucket(&bucket(&op.bucket)).await)
                }
                created => ending(&created),
            },
        }
    }

    /// Reads what the key shows, as a client does before it writes, and notes it.
    async fn look_first(&self, op: &PlannedOp) -> Option<Context> {
        // An answer that was long under way tells what was there then; whoever writes on it looks again.
        let (mut shown, mut context) = (Shown::Nothing, None);
        for _ in 0..LOOKS {
            let began = fabric::now();
            (shown, context) = self.look(op, None).await;
            if fabric::now().saturating_sub(began) < FRESH {
                break;
            }
            // As good as no answer, should it stay like this.
            (shown, context) = (Shown::Unavailable("no fresh answer".into()), None);
        }
        let mut notebook = self.notes();
        let operation = notebook.history.get_mut(op.id);
        operation.read_at = Some(fabric::now());
        operation.shown = Some(shown);
        if let Some(context) = &context {
            notebook.tokens.insert(op.place(), context.clone());
        }
        context
    }

    async fn look(&self, op: &PlannedOp, version: Option<VersionRef>) -> (Shown, Option<Context>) {
        let request = GetRequest { bucket: bucket(&op.bucket), key: op.key.clone(), version, context: None };
        self.shown(request).await
    }

    async fn put(&self, op: &PlannedOp, size: usize, context: Option<Context>) -> Ending {
        let request = PutRequest {
            bucket: bucket(&op.bucket),
            key: op.key.clone(),
            body: match self.engine.store_body(&body::bytes_of(op.id, size)).await {
                Ok(body) => body,
                Err(error) => return refusal(&error),
            },
            headers: BTreeMap::new(),
            context,
            condition: None,
        };
        self.end_write(op, &self.engine.put(request).await)
    }

    async fn delete_version(&self, op: &PlannedOp) -> Ending {
        let request =
            ListRequest { prefix: op.key.clone(), ..ListRequest::all_of(bucket(&op.bucket), LISTED_MAX) };
        let listed = match self.engine.list(request).await {
            Ok(page) => page.versions().find(|version| version.key == op.key && version.content.is_some()),
            Err(error) => return refusal(&error),
        };
        let Some(newest) = listed else { return Ending::Refused("nothing to delete".into()) };
        let (shown, _) = self.look(op, Some(VersionRef::Dot(newest.version.dot))).await;
        let Shown::Write(write) = shown else {
            return Ending::Refused("the version could not be read".into());
        };
        self.notes().history.get_mut(op.id).target = Some((newest.version.dot.to_string(), write));
        let request = DeleteRequest {
            bucket: bucket(&op.bucket),
            key: op.key.clone(),
            version: Some(VersionRef::Dot(newest.version.dot)),
            context: None,
            condition: None,
            bypass: false,
        };
        self.end_delete(op, &self.engine.delete(request).await)
    }

    fn end_write(&self, op: &PlannedOp, written: &Result<Written, Error>) -> Ending {
        if let Ok(Written { version: Some(version), .. }) = written {
            self.notes().history.get_mut(op.id).version = Some(version.dot.to_string());
        }
        ending(written)
    }

    fn end_delete(&self, op: &PlannedOp, deleted: &Result<Deleted, Error>) -> Ending {
        if let Ok(Deleted { marker: Some(marker), .. }) = deleted {
            self.notes().history.get_mut(op.id).version = Some(marker.dot.to_string());
        }
        ending(deleted)
    }

    /// Creates the plan's buckets; done by one site before the clients start.
    pub async fn prepare(&self, plan: &Plan) {
        for planned in &plan.buckets {
            let id = bucket(&planned.name);
            while !matches!(
                self.engine.create_bucket(&id, &[]).await,
                Ok(_) | Err(Error::BucketAlreadyOwned(_))
            ) {
                fabric::sleep(Duration::from_millis(20)).await;
            }
            for (field, value) in [("versioning", &planned.versioning), ("conflict", &planned.policy)] {
                while !value.is_empty() && self.engine.configure_bucket(&id, field, value).await.is_err() {
                    fabric::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    /// Reads everything that there is at this site, as a client can, waiting for each answer as long as given.
    pub async fn dump(&self, patience: Duration) -> Dump {
        let mut dump = Dump::default();
        let buckets = match self.engine.buckets(None).await {
            Ok(buckets) => buckets,
            Err(error) => {
                dump.failures.push(format!("buckets: {error}"));
                return dump;
            }
        };
        for found in buckets {
            let settings = format!("{:?} {:?}", found.versioning, found.policy);
            dump.buckets.insert(found.id.to_string(), settings);
            let mut request = ListRequest::all_of(found.id.clone(), LISTED_MAX);
            loop {
                let page = match self.list_page(&request, patience).await {
                    Ok(page) => page,
                    Err(error) => {
                        dump.failures.push(format!("{}: {error}", found.id));
                        break;
                    }
                };
                let next = page.next.clone();
                for listed in page.versions() {
                    self.read_version(&found.id, listed, &mut dump, patience).await;
                }
                match next {
                    Some(after) => request.after = after,
                    None => break,
                }
            }
        }
        for ((name, key), read) in &mut dump.keys {
            let request = GetRequest { bucket: bucket(name), key: key.clone(), version: None, context: None };
            read.current = Some(self.read(request, patience).await);
        }
        dump
    }

    /// One page; a client that is told to retry does, for as long as its patience lasts.
    async fn list_page(&self, request: &ListRequest, patience: Duration) -> Result<Page, Error> {
        let start = self.env.monotonic();
        loop {
            match self.engine.list(request.clone()).await {
                Err(Error::Unavailable(_)) if self.env.monotonic().saturating_sub(start) < patience => {
                    fabric::sleep(Duration::from_millis(200)).await;
                }
                page => return page,
            }
        }
    }

    async fn read(&self, request: GetRequest, patience: Duration) -> Shown {
        match timeout(&self.env, patience, self.shown(request)).await {
            Some((shown, _)) => shown,
            None => Shown::Unavailable("no answer in time".into()),
        }
    }

    /// A whole object, as a client finds it.
    async fn shown(&self, request: GetRequest) -> (Shown, Option<Context>) {
        let whole = async {
            let object = self.engine.get(request).await?;
            Ok((object.body.read_all().await?, object.context))
        };
        match whole.await {
            Ok((bytes, context)) => (body::identify(&bytes), Some(context)),
            Err(Error::NoSuchKey(_) | Error::NoSuchVersion(_)) => (Shown::Nothing, None),
            Err(Error::Deleted { .. }) => (Shown::Deleted, None),
            Err(error) => (Shown::Unavailable(error.to_string()), None),
        }
    }

    async fn read_version(&self, id: &BucketId, listed: Listed, dump: &mut Dump, patience: Duration) {
        let place = match listed.kind {
            VersionKind::Current => Place::Current,
            VersionKind::Sibling => Place::Sibling,
            VersionKind::Noncurrent => Place::Noncurrent,
        };
        let read = if listed.content.is_none() {
            Shown::Deleted
        } else if listed.is_lost {
            Shown::Unavailable("its body is lost".into())
        } else {
            let (bucket, version) = (id.clone(), Some(VersionRef::Dot(listed.version.dot)));
            self.read(GetRequest { bucket, key: listed.key.clone(), version, context: None }, patience).await
        };
        let version = VersionRead {
            version: listed.version.dot.to_string(),
            place,
            read,
            tags: listed.tags.map(|(_, tags)| tags),
        };
        let key: &mut KeyRead = dump.keys.entry((id.name().to_owned(), listed.key)).or_default();
        key.versions.push(version);
    }
}

fn ending<T>(outcome: &Result<T, Error>) -> Ending {
    match outcome {
        Ok(_) => Ending::Acked,
        Err(error) => refusal(error),
    }
}

fn refusal(error: &Error) -> Ending {
    match error {
        Error::Unknown | Error::Store(_) => Ending::Unknown,
        error => Ending::Refused(error.to_string()),
    }
}
