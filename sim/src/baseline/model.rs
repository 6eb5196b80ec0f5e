//! The world of the models: sites with a store each, clients who work through the plan, and the plan's faults.
//!
//! Synchronous and event-driven. A client's look and its write are one step: nothing comes between what it was shown and
//! what it replaces. The answer comes a service time later, and the copies leave with the write.
//!
//! Invariants: a store's stamps only rise, save where a fault takes its disk; events of one instant happen in the order
//! in which they were scheduled.

use super::{
    Rule,
    stamp::Stamper,
    wire::{Message, Version, Wire},
};
use crate::{
    history::{Dump, Ending, History, KeyRead, Place, Shown, VersionRead, WriteId},
    nemesis::{Fault, Loss},
    outcome::Outcome,
    plan::{Plan, PlannedOp},
    world::{
        control::{Controller, Order},
        ground::Ground,
        watch::{Delivery, Part},
    },
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

type Store = BTreeMap<u32, Version>;

pub(super) enum Event {
    /// A client looks what is next in its part of the plan.
    Turn(usize),
    /// A client gets its answer, unless the process that owes it has ended.
    Answer {
        client: usize,
        write: WriteId,
        ending: Ending,
        life: u32,
    },
    Arrive(Message),
    /// A site sends another all that it has.
    CopyAll {
        from: u16,
        to: u16,
    },
    Backup(u16),
}

impl Event {
    /// The site that must run for this to happen.
    pub(super) fn site(&self, clients: &[Client]) -> u16 {
        match self {
            Self::Turn(client) | Self::Answer { client, .. } => clients[*client].site,
            Self::Arrive(message) => message.to,
            Self::CopyAll { from: site, .. } | Self::Backup(site) => *site,
        }
    }
}

pub(super) struct Client {
    site: u16,
    /// Its operations, as places in the plan.
    pub(super) ops: Vec<usize>,
    pub(super) next: usize,
}

pub(super) struct Site {
    pub(super) store: Store,
    pub(super) stamper: Stamper,
    /// Which of its processes runs.
    pub(super) life: u32,
    /// What happens when it runs again. Bounded as the wire is, and by one event a client.
    parked: Vec<Event>,
    /// Its disk was taken; it needs a full copy.
    is_behind: bool,
    /// Bytes written since its disk has been almost full.
    filled: u64,
}

/// A run under way.
pub(super) struct Model {
    pub(super) plan: Arc<Plan>,
    pub(super) ground: Arc<Ground>,
    controller: Controller,
    /// How many of the controller's losses have been carried out.
    losses_seen: usize,
    wire: Wire,
    pub(super) now: Duration,
    schedule: BTreeMap<(Duration, u64), Event>,
    scheduled: u64,
    pub(super) sites: Vec<Site>,
    pub(super) clients: Vec<Client>,
    keys: Vec<(String, String)>,
    /// The key of each of the plan's operations.
    pub(super) key_of: Vec<u32>,
    backups: BTreeMap<(u16, Duration), Store>,
    pub(super) history: History,
    deliveries: Vec<Delivery>,
    traffic: (u64, u64),
}

impl Model {
    pub(super) fn new(plan: &Arc<Plan>, rule: Rule) -> Self {
        let ground = Ground::new(plan.seed, plan.sites, &plan.links);
        let places: BTreeSet<_> = plan.ops.iter().map(PlannedOp::place).collect();
        let keys: Vec<_> = places.into_iter().collect();
        let number = |op: &PlannedOp| keys.binary_search(&op.place()).expect("collected above") as u32;
        let mut by_client: BTreeMap<(u16, u16), Vec<usize>> = BTreeMap::new();
        for (place, op) in plan.ops.iter().enumerate() {
            by_client.entry((op.site, op.client)).or_default().push(place);
        }
        let site = |site| Site {
            store: Store::new(),
            stamper: Stamper::new(rule, site),
            life: 0,
            parked: Vec::new(),
            is_behind: false,
            filled: 0,
        };
        let mut model = Self {
            controller: Controller::new(plan, &ground),
            losses_seen: 0,
            wire: Wire::new(&ground),
            now: Duration::ZERO,
            schedule: BTreeMap::new(),
            scheduled: 0,
            sites: (0..plan.sites).map(site).collect(),
            clients: by_client.into_iter().map(|((site, _), ops)| Client { site, ops, next: 0 }).collect(),
            key_of: plan.ops.iter().map(number).collect(),
            keys,
            backups: BTreeMap::new(),
            history: History::default(),
            deliveries: Vec::new(),
            traffic: (0, 0),
            plan: plan.clone(),
            ground,
        };
        for site in 0..plan.sites {
            model.ground.lock().machine(site).up = true;
        }
        for planned in &plan.faults {
            if let Fault::Restore { site, backup_at } = planned.fault {
                model.at(backup_at, Event::Backup(site));
            }
        }
        for client in 0..model.clients.len() {
            model.at(Duration::ZERO, Event::Turn(client));
        }
        model
    }

    pub(super) fn at(&mut self, when: Duration, event: Event) {
        self.scheduled += 1;
        self.schedule.insert((when, self.scheduled), event);
    }

    pub(super) fn site(&mut self, site: u16) -> &mut Site {
        &mut self.sites[usize::from(site)]
    }

    /// Runs until nothing is scheduled any more: all clients are done and every copy has arrived.
    pub(super) fn run(mut self) -> Outcome {
        loop {
            let event = self.schedule.first_key_value().map(|((at, _), _)| *at);
            match (event, self.controller.next_at()) {
                (None, None) => return self.outcome(),
                (Some(at), fault) if fault.is_none_or(|fault| at < fault) => {
                    let (_, event) = self.schedule.pop_first().expect("just seen");
                    self.now = at;
                    self.handle(event);
                }
                (_, fault) => {
                    self.now = fault.expect("one of the two is due");
                    self.obey();
                }
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let site = event.site(&self.clients);
        // A backup is taken of the disk, whatever the process does.
        if !matches!(event, Event::Backup(_)) && !self.is_running(site) {
            self.site(site).parked.push(event);
            return;
        }
        match event {
            Event::Turn(client) => self.turn(client),
            Event::Answer { client, write, ending, life } => {
                if self.site(site).life == life {
                    let operation = self.history.get_mut(write);
                    operation.ending = ending;
                    operation.completed = Some(self.now);
                }
                self.turn(client);
            }
            Event::Arrive(message) => self.arrive(message),
            Event::CopyAll { from, to } => {
                let all: Vec<_> =
                    self.site(from).store.iter().map(|(key, version)| (*key, *version)).collect();
                for (key, version) in all {
                    self.send(Message { from, to, key, version, is_copy: true });
                }
            }
            Event::Backup(site) => {
                let store = self.site(site).store.clone();
                self.backups.insert((site, self.now), store);
            }
        }
    }

    fn is_running(&self, site: u16) -> bool {
        let mut state = self.ground.lock();
        let machine = state.machine(site);
        machine.up && !machine.paused
    }

    /// Lets the controller do what is due, carries its orders out, and sets going what waited for a fault to end.
    pub(super) fn obey(&mut self) {
        let orders = self.controller.due(self.now);
        let losses = self.controller.losses[self.losses_seen..].to_vec();
        self.losses_seen += losses.len();
        for loss in losses {
            let Loss::Disk { site, kept_until, .. } = loss else { continue };
            let backup = self.backups.get(&(site, kept_until)).cloned();
            self.wire.forget(site);
            self.site(site).store = backup.unwrap_or_default();
            self.site(site).is_behind = true;
        }
        for order in orders {
            match order {
                Order::Kill(site) => self.site(site).life += 1,
                Order::Start(site) => {
                    self.ground.lock().machine(site).isolated = false;
                    if std::mem::take(&mut self.site(site).is_behind) {
                        for other in (0..self.plan.sites).filter(|other| *other != site) {
                            self.at(self.now, Event::CopyAll { from: other, to: site });
                            self.at(self.now, Event::CopyAll { from: site, to: other });
                        }
                    }
                }
            }
        }
        for site in 0..self.plan.sites {
            if self.is_running(site) {
                for event in std::mem::take(&mut self.site(site).parked) {
                    self.at(self.now, event);
                }
                for message in self.wire.mended(site) {
                    self.send(message);
                }
            }
        }
    }

    /// What a site shows of a key.
    pub(super) fn shown(&self, site: u16, key: u32) -> Shown {
        let version = self.sites[usize::from(site)].store.get(&key);
        version.and_then(|version| version.content).map_or(Shown::Nothing, Shown::Write)
    }

    /// Whether a site's disk has room for so many bytes more; if so they are taken.
    pub(super) fn takes(&mut self, site: u16, bytes: u64) -> bool {
        let capacity = self.ground.lock().machine(site).disk.faults.capacity;
        let filled = capacity.map_or(0, |_| self.site(site).filled + bytes);
        let fits = capacity.is_none_or(|capacity| filled <= capacity);
        if fits {
            self.site(site).filled = filled;
        }
        fits
    }

    /// The rule: the greater stamp stays. Whether that is the one offered.
    pub(super) fn offer(&mut self, site: u16, key: u32, version: Version) -> bool {
        let store = &mut self.site(site).store;
        let wins = store.get(&key).is_none_or(|stored| stored.stamp < version.stamp);
        if wins {
            store.insert(key, version);
        }
        wins
    }

    pub(super) fn send(&mut self, message: Message) {
        if let Some(at) = self.wire.send(self.now, message) {
            self.at(at, Event::Arrive(message));
        }
    }

    fn arrive(&mut self, message: Message) {
        let Message { from, to, key, version, is_copy } = message;
        if self.wire.is_cut(from, to) {
            self.wire.hold(message);
            return;
        }
        if !self.takes(to, version.bytes) {
            self.site(to).parked.push(Event::Arrive(message));
            return;
        }
        self.traffic.0 += message.len();
        self.traffic.1 += 1;
        if let Some(write) = version.content {
            let parts = [Part::Start, Part::Middle, Part::End]; // a message is whole
            self.deliveries.extend(parts.map(|part| Delivery {
                write,
                part,
                from,
                to,
                at: self.now,
                in_state: false,
            }));
        }
        self.site(to).stamper.learn(version.stamp);
        let is_news = self.offer(to, key, version);
        if is_news && is_copy {
            // Its origin may have lost it before it had sent it to all.
            for other in (0..self.plan.sites).filter(|other| ![from, to].contains(other)) {
                self.send(Message { from: to, to: other, key, version, is_copy });
            }
        }
    }

    fn outcome(self) -> Outcome {
        let dumps = (0..self.plan.sites).map(|site| (site, self.dump(site))).collect();
        let is_converged = self.sites.windows(2).all(|pair| pair[0].store == pair[1].store);
        let simulated = self.now.max(self.plan.heal_at);
        Outcome {
            plan: self.plan,
            history: self.history,
            dumps,
            audits: Vec::new(),
            deliveries: self.deliveries,
            losses: self.controller.losses,
            outages: self.controller.outages,
            effective: self.controller.effective,
            applied: Vec::new(),
            converged_at: is_converged.then_some(simulated),
            stuck: if is_converged {
                Vec::new()
            } else {
                vec!["the stores differ, and nothing is on its way".into()]
            },
            marks: BTreeMap::new(),
            trace: (0, 0),
            simulated,
            traffic: self.traffic,
        }
    }

    fn dump(&self, site: u16) -> Dump {
        let store = &self.sites[usize::from(site)].store;
        let keys = store.iter().map(|(&key, version)| {
            let current = self.shown(site, key);
            let listed = version.content.map(|write| VersionRead {
                version: version.stamp.to_string(),
                place: Place::Current,
                read: Shown::Write(write),
                tags: None,
            });
            let read = KeyRead { current: Some(current), versions: listed.into_iter().collect() };
            (self.keys[key as usize].clone(), read)
        });
        let buckets =
            self.plan.buckets.iter().map(|bucket| (bucket.name.clone(), "unversioned, modelled".to_owned()));
        Dump { buckets: buckets.collect(), keys: keys.collect(), failures: Vec::new() }
    }
}
