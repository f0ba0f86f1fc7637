use std::net::Ipv4Addr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::AbortOnDropHandle;

/// A way to a port of this machine that can be cut, as a cable can: nothing passes, and no end hears why.
#[derive(Debug)]
pub struct Proxy {
    /// Where it listens.
    pub port: u16,
    cut: watch::Sender<bool>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Starts one that leads to `target`.
    pub async fn start(target: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it has one").port();
        let cut = watch::Sender::new(false);
        let task = AbortOnDropHandle::new(tokio::spawn(accept(listener, target, cut.clone())));
        Self { port, cut, _task: task }
    }

    /// Lets nothing pass from now on.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Ends what was cut, and lets new connections pass.
    pub fn mend(&self) {
        self.cut.send_replace(false);
    }
}

async fn accept(listener: TcpListener, target: u16, cut: watch::Sender<bool>) {
    loop {
        let (stream, _) = listener.accept().await.expect("it listens");
        tokio::spawn(pass(stream, target, cut.subscribe()));
    }
}

async fn pass(mut from: TcpStream, target: u16, mut cut: watch::Receiver<bool>) {
    let is_open = !*cut.borrow();
    if is_open && let Ok(mut to) = TcpStream::connect((Ipv4Addr::LOCALHOST, target)).await {
        tokio::select! {
            // An end that closed, or broke, ends the other.
            _ = copy_bidirectional(&mut from, &mut to) => return,
            Ok(_) = cut.wait_for(|cut| *cut) => {}
        }
        // Both ends stay open, and hear nothing.
        let _ = cut.wait_for(|cut| !*cut).await;
        return;
    }
    let _ = cut.wait_for(|cut| !*cut).await;
}
