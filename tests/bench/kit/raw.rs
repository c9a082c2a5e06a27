//! Grouped writes by hand: the rate at which a disk takes so many bytes durably, with nothing else done.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// Time a write of so many bytes, when so many streams write for so long, each waiting for its own; those that wait at the same time share one fdatasync.
pub fn grouped_writes(path: &Path, streams: usize, bytes: u64, run: Duration) -> Duration {
    std::fs::create_dir_all(path).expect("the folder is writable");
    let mut file: File = OpenOptions::new().create(true).append(true).open(path.join("log")).expect("the folder is writable");
    let (jobs, inbox) = mpsc::channel::<(Vec<u8>, mpsc::SyncSender<()>)>();
    let writer = thread::spawn(move || {
        while let Ok(first) = inbox.recv() {
            let group: Vec<_> = std::iter::once(first).chain(inbox.try_iter()).collect();
            let all: Vec<u8> = group.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect();
            file.write_all(&all).expect("the disk has room");
            file.sync_data().expect("the disk syncs");
            group.into_iter().for_each(|(_, done)| done.send(()).expect("the appender waits"));
        }
    });
    let began = Instant::now();
    let appenders: Vec<_> = (0..streams)
        .map(|_| {
            let jobs = jobs.clone();
            thread::spawn(move || {
                let mut count = 0u64;
                while began.elapsed() < run {
                    let (done, wait) = mpsc::sync_channel(1);
                    jobs.send((vec![b'x'; bytes as usize], done)).expect("the writer lives");
                    wait.recv().expect("the writer answers");
                    count += 1;
                }
                count
            })
        })
        .collect();
    drop(jobs);
    let all: u64 = appenders.into_iter().map(|one| one.join().expect("no stream panics")).sum();
    let took = began.elapsed();
    writer.join().expect("the writer ends");
    took.div_f64(all as f64)
}
