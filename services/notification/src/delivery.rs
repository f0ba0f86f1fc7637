//! SMTP, or one `.eml` file a message.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use eventsourcing::EventId;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use service_kit::settings::SettingsError;
use tokio::{fs, io::AsyncWriteExt as _, sync::Notify};

/// How long a mail server may take to show that it is there.
const PROBE_PATIENCE: Duration = Duration::from_secs(5);
/// How often a folder that took the last message is tried.
const PROBE_FOLDER: Duration = Duration::from_secs(2);
/// How often a mail server is asked when all is well: it may belong to somebody else, and each time is a login.
const PROBE_SERVER: Duration = Duration::from_secs(30);

/// Delivers messages.
#[derive(Debug)]
pub(crate) struct Delivery {
    way: Way,
    /// The mail server or the disk was away when a message was delivered.
    failed: Notify,
}

/// Where messages go.
#[derive(Debug)]
enum Way {
    /// To a mail server.
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    /// Into a folder.
    Files(PathBuf),
}

/// A message was not delivered.
#[derive(Debug)]
pub(crate) enum DeliveryError {
    /// The mail server, or the disk, is away or does not take us: the message is not to blame.
    Away(String),
    /// The message was not taken now.
    NotNow(String),
    /// The message will never be taken.
    Never(String),
}

impl Delivery {
    /// To the mail server at `smtp_url`; into the folder `mail_dir` when that is empty.
    pub(crate) async fn new(smtp_url: &str, mail_dir: PathBuf) -> anyhow::Result<Self> {
        if smtp_url.is_empty() {
            fs::create_dir_all(&mail_dir)
                .await
                .with_context(|| format!("creating the folder {} failed", mail_dir.display()))?;
            return Ok(Self::by(Way::Files(mail_dir)));
        }
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp_url)
            // The URL may hold a password, so it is not repeated.
            .map_err(|error| SettingsError::wrong("notification.smtp_url", error.to_string()))?;
        Ok(Self::by(Way::Smtp(Box::new(transport.build()))))
    }

    fn by(way: Way) -> Self {
        Self { way, failed: Notify::new() }
    }

    /// Delivers `message`, the one about `event`.
    pub(crate) async fn deliver(
        &self,
        event: EventId,
        message: Message,
    ) -> Result<(), DeliveryError> {
        let delivered = match &self.way {
            Way::Smtp(transport) => match transport.send(message).await {
                Ok(_) => Ok(()),
                Err(error) => Err(smtp_error(&error)),
            },
            Way::Files(folder) => write(folder, event, &message.formatted())
                .await
                .map_err(|error| DeliveryError::Away(format!("writing mail failed: {error}"))),
        };
        if let Err(DeliveryError::Away(_)) = &delivered {
            self.failed.notify_one();
        }
        delivered
    }

    /// Returns when the mail server or the disk was away at a delivery.
    pub(crate) async fn failed(&self) {
        self.failed.notified().await;
    }

    /// How often to [`probe`](Self::probe) while all is well.
    pub(crate) fn probe_interval(&self) -> Duration {
        match self.way {
            Way::Smtp(_) => PROBE_SERVER,
            Way::Files(_) => PROBE_FOLDER,
        }
    }

    /// Whether a message could be delivered now; says why not.
    pub(crate) async fn probe(&self) -> Result<(), String> {
        match &self.way {
            Way::Smtp(transport) => {
                let asked = tokio::time::timeout(PROBE_PATIENCE, transport.test_connection()).await;
                match asked {
                    Ok(Ok(true)) => Ok(()),
                    Ok(Err(error)) if error.status().is_some() => Err(format!(
                        "the mail server answered {}",
                        error.status().map(u16::from).unwrap_or_default()
                    )),
                    _ => Err("the mail server cannot be reached".to_owned()),
                }
            }
            Way::Files(folder) => {
                let probe = folder.join(format!(".able-{}", std::process::id()));
                let written = async {
                    fs::write(&probe, [b'x'; 4096]).await?;
                    fs::remove_file(&probe).await
                };
                written.await.map_err(|error| format!("mail cannot be written: {error}"))
            }
        }
    }
}

/// What the mail server's reply code says of the message (RFC 5321, 4.2.3; RFC 4954, 6). The text of a reply often
/// repeats the address, so it goes nowhere.
fn smtp_error(error: &lettre::transport::smtp::Error) -> DeliveryError {
    if error.is_client() {
        return DeliveryError::Never(
            "the mail server does not do what the message needs".to_owned(),
        );
    }
    let Some(code) = error.status().map(u16::from) else {
        return DeliveryError::Away("the mail server cannot be reached".to_owned());
    };
    let reason = format!("the mail server answered {code}");
    match code {
        // Shutting down; wants or refuses a login.
        421 | 454 | 530 | 534 | 535 | 538 => DeliveryError::Away(reason),
        400..=499 => DeliveryError::NotNow(reason),
        _ => DeliveryError::Never(reason),
    }
}

/// Writes the file named after `event`: a second time it is the same file, and never a half one.
async fn write(folder: &Path, event: EventId, message: &[u8]) -> std::io::Result<()> {
    let partial = folder.join(format!(".{event}.partial"));
    let mut file = fs::File::create(&partial).await?;
    file.write_all(message).await?;
    // A failed write shows at the flush, not at the sync behind it.
    file.flush().await?;
    file.sync_all().await?;
    fs::rename(&partial, folder.join(format!("{event}.eml"))).await?;
    // The record of it will be on disk; so must its name.
    fs::File::open(folder).await?.sync_all().await
}
