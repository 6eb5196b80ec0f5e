//! A site's process in the simulation: the real node, and its clients beside it.

use super::{
    Wrap,
    control::Controller,
    env::SimEnv,
    fabric,
    ground::Ground,
    watch::{CHUNK, SEGMENT},
};
use crate::{
    history::Dump,
    nemesis::Loss,
    outcome::{Applied, Audit, Outcome},
    plan::Plan,
    workload::client::{Client, Shared as Notebook},
};
use anabranch::{
    causality::SiteId,
    engine::{self, Engine},
    env::Env,
    node::{self, Node},
    replication::{self, Replication, Standing},
    store::{Identity, reserve::Reserve},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

/// What all processes of a run share, beyond the ground: the harness's own notes.
pub struct Run {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The ground.
    pub ground: Arc<Ground>,
    /// The clients' notes.
    pub notebook: Notebook,
    notes: Mutex<Notes>,
    dump_now: Notify,
}

#[derive(Default)]
struct Notes {
    prepared: bool,
    claims: BTreeMap<u16, (Duration, Result<(), String>)>,
    dumps: BTreeMap<u16, Dump>,
    dumping: bool,
    audits: Vec<Audit>,
    applied: Vec<Applied>,
}

/// How often a site compares its records with a peer's: a run is shorter than the default.
const AUDIT_EVERY: Duration = Duration::from_secs(2);
/// How often a site is asked how it is doing after the faults have healed.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// How long a site that came back writes before it reaches its first peer, where the plan says so.
const ALONE: Duration = Duration::from_millis(400);

impl Run {
    /// A run that has not begun.
    pub fn new(plan: &Arc<Plan>) -> Arc<Self> {
        let ground = Ground::new(plan.seed, plan.sites, &plan.links);
        Arc::new(Self {
            plan: plan.clone(),
            ground,
            notebook: Notebook::default(),
            notes: Mutex::default(),
            dump_now: Notify::new(),
        })
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Notes> {
        self.notes.lock().expect("no holder of the notes panics")
    }

    /// Whether every site has claimed, since `since`, to have everything.
    pub fn all_claim_convergence(&self, since: Duration) -> bool {
        let notes = self.notes();
        (0..self.plan.sites)
            .all(|s| notes.claims.get(&s).is_some_and(|(at, claim)| *at >= since && claim.is_ok()))
    }

    /// Whether every client has come to the end of the plan.
    pub fn all_clients_finished(&self) -> bool {
        let finished = self.notebook.lock().expect("no client panics").finished.len();
        finished == usize::from(self.plan.sites) * usize::from(self.plan.clients)
    }

    /// Has every site read out.
    pub fn ask_for_dumps(&self) {
        self.notes().dumping = true;
        self.dump_now.notify_waiters();
    }

    /// Whether all have been.
    pub fn has_all_dumps(&self) -> bool {
        self.notes().dumps.len() == usize::from(self.plan.sites)
    }

    /// Everything that the run left behind.
    pub fn outcome(
        &self,
        controller: Controller,
        converged_at: Option<Duration>,
        simulated: Duration,
    ) -> Outcome {
        let mut notes = self.notes();
        let mut state = self.ground.lock();
        let stuck = if converged_at.is_some() {
            Vec::new()
        } else {
            let claims = notes.claims.iter();
            claims
                .filter_map(|(s, (_, claim))| claim.as_ref().err().map(|why| format!("site {s}: {why}")))
                .collect()
        };
        let mut losses = controller.losses;
        losses.sort_by_key(|loss| match loss {
            Loss::Disk { at, .. } | Loss::Body { at, .. } => *at,
        });
        Outcome {
            plan: self.plan.clone(),
            history: std::mem::take(&mut self.notebook.lock().expect("no client panics").history),
            dumps: std::mem::take(&mut notes.dumps),
            audits: std::mem::take(&mut notes.audits),
            deliveries: state.watch.take(),
            losses,
            outages: controller.outages,
            effective: controller.effective,
            applied: std::mem::take(&mut notes.applied),
            converged_at,
            stuck,
            marks: state.marks.clone(),
            trace: state.trace.digest(),
            simulated,
            traffic: (state.bytes, state.chunks),
        }
    }
}

fn config(plan: &Plan, site: u16) -> node::Config {
    let members: BTreeSet<SiteId> = (0..plan.sites).map(SiteId).collect();
    let identity = Identity { cluster: "simulated".into(), site: SiteId(site) };
    let mut engine = engine::Config::new(identity, members, [9; 32]);
    engine.reserve = Reserve { margin: crate::nemesis::RESERVE };
    engine.cache_bytes = plan.cache_bytes;
    engine.segment_max = SEGMENT as u64;
    engine.blind_window = plan.blind_window;
    engine.log_keep = plan.log_keep;
    let peers =
        (0..plan.sites).filter(|other| *other != site).map(|other| (SiteId(other), format!("s{other}")));
    let mut replication = replication::Config::new(format!("s{site}"), peers.collect());
    replication.merge_chunk_records = 8;
    replication.body_chunk_bytes = CHUNK;
    replication.body_workers = 2;
    replication.audit_every = AUDIT_EVERY;
    node::Config { engine, replication }
}

/// One process of a site, from its start to its end.
pub async fn process<W: Wrap>(run: Arc<Run>, site: u16) {
    let sim = SimEnv::new(&run.ground, site);
    let env = W::wrap(sim);
    let node = loop {
        match Node::start(env.clone(), config(&run.plan, site)).await {
            Ok(node) => break node,
            Err(error) => {
                env.mark("start-failed");
                run.notes()
                    .claims
                    .insert(site, (fabric::now(), Err(format!("cannot start: {error}: {error:?}"))));
                fabric::sleep(Duration::from_millis(300)).await;
            }
        }
    };
    let client = Client { engine: node.engine().clone(), env: env.clone(), notebook: run.notebook.clone() };
    let first = site == 0 && !std::mem::replace(&mut run.notes().prepared, true);
    if first {
        let (client, plan) = (client.clone(), run.plan.clone());
        fabric::spawn(Box::pin(async move { client.prepare(&plan).await }));
    }
    fabric::spawn(Box::pin(follow(run.clone(), node.engine().clone(), site)));
    let replication = node.replication().clone();
    fabric::spawn(Box::pin(answer(run.clone(), client.clone(), replication, site)));
    fabric::spawn(Box::pin(begin_clients(run.clone(), client, site)));
    node.run().await;
    run.ground.lock().machine(site).exited = true;
    std::future::pending::<()>().await;
}

/// Audits a process that came back, before it can reach anyone, and lets the clients work.
async fn begin_clients<E: Env>(run: Arc<Run>, client: Client<E>, site: u16) {
    let came_back = run.ground.lock().machine(site).isolated;
    let early = came_back && run.plan.writes_before_contact;
    if came_back {
        let pauses = || run.ground.lock().machine(site).pauses;
        let dump = loop {
            let before = pauses();
            // Cut off as it is, it cannot fetch a body: not worth waiting for.
            let dump = client.dump(Duration::from_millis(100)).await;
            // An answer that came too late because the machine stood still says nothing.
            if pauses() == before {
                break dump;
            }
        };
        run.notes().audits.push(Audit { site, ended_at: fabric::now(), dump });
    }
    if !early {
        run.ground.lock().machine(site).isolated = false;
        run.ground.changed.notify_waiters();
    }
    for n in 0..run.plan.clients {
        fabric::spawn(Box::pin(client.clone().work(run.plan.clone(), site, n)));
    }
    if early {
        fabric::sleep(ALONE).await;
        run.ground.lock().machine(site).isolated = false;
        run.ground.changed.notify_waiters();
    }
}

/// Notes when the site comes to cover what.
async fn follow<E: Env>(run: Arc<Run>, engine: Engine<E>, site: u16) {
    let mut durable = engine.watch_durable();
    let mut known = BTreeMap::new();
    loop {
        let vector = durable.latest();
        let at = fabric::now();
        for ((origin, epoch), seq) in vector.iter() {
            if known.insert((origin, epoch), seq) != Some(seq) {
                let origin = format!("{:04x}{:016x}", origin.0, epoch.0);
                run.notes().applied.push(Applied { at, site, origin, seq });
            }
        }
        durable.changed().await;
    }
}

/// After the faults have healed: says how the site is doing, and reads it out when asked.
async fn answer<E: Env>(run: Arc<Run>, client: Client<E>, replication: Replication<E>, site: u16) {
    fabric::sleep(run.plan.heal_at.saturating_sub(fabric::now())).await;
    loop {
        if run.notes().dumping {
            let dump = client.dump(Duration::from_secs(3)).await;
            run.notes().dumps.insert(site, dump);
            return;
        }
        let claim = match replication.standings().await {
            Ok((own, peers)) => {
                let apart = |(peer, standing): (&SiteId, &Standing)| {
                    standing.apart.map(|why| format!("not in sync with s{}: {why}", peer.0))
                };
                let apart: Vec<_> = peers.iter().filter_map(apart).collect();
                if apart.is_empty() { Ok(()) } else { Err(format!("{}; {own:?}", apart.join("; "))) }
            }
            Err(error) => Err(error.to_string()),
        };
        run.notes().claims.insert(site, (fabric::now(), claim));
        let asked = run.dump_now.notified();
        tokio::select! { biased; () = asked => (), () = fabric::sleep(ASK_EVERY) => () }
    }
}
