//! The socket under a conversation, with a buffer each way. What is written waits in the buffer until somebody flushes:
//! system calls are what a small statement costs most.

use std::io;
use std::net::IpAddr;

use bytes::BytesMut;
use sql::Result;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::server::TlsStream;

use super::codec::Output;
use super::frame::{Frame, next_frame};

/// How much is read at once.
const READ_SIZE: usize = 8 * 1024;
/// An input buffer that has grown beyond this is given back when it is empty.
const KEPT_INPUT_MAX: usize = 256 * 1024;

/// A connected socket.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

trait Socket: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Socket for T {}

impl Stream {
    fn socket(&mut self) -> &mut (dyn Socket + Send) {
        match self {
            Self::Tcp(stream) => stream,
            Self::Unix(stream) => stream,
            Self::Tls(stream) => stream.as_mut(),
        }
    }

    /// Whether what goes over it is encrypted.
    pub(crate) fn is_tls(&self) -> bool {
        matches!(self, Self::Tls(_))
    }

    /// The client's address and port; `None` for Unix sockets.
    pub(crate) fn client(&self) -> Option<(IpAddr, u16)> {
        let address = match self {
            Self::Tcp(stream) => stream.peer_addr(),
            Self::Tls(stream) => stream.get_ref().0.peer_addr(),
            Self::Unix(_) => return None,
        };
        address.ok().map(|address| (address.ip().to_canonical(), address.port()))
    }
}

/// A stream and its buffers.
pub(crate) struct Wire {
    pub(crate) stream: Stream,
    pub(crate) input: BytesMut,
    pub(crate) output: Output,
}

/// Why nothing more comes.
pub(crate) enum Incoming {
    Frame(Frame),
    /// The client has closed the connection, or it broke.
    Closed,
}

impl Wire {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, input: BytesMut::new(), output: Output::default() }
    }

    /// A frame that has already arrived whole.
    ///
    /// # Errors
    /// FATAL `08P01`.
    pub(crate) fn buffered_frame(&mut self) -> Result<Option<Frame>> {
        next_frame(&mut self.input)
    }

    /// The next frame; before it waits for one, it sends what is buffered.
    ///
    /// # Errors
    /// FATAL `08P01`.
    pub(crate) async fn next_frame(&mut self) -> Result<Incoming> {
        loop {
            if let Some(frame) = self.buffered_frame()? {
                return Ok(Incoming::Frame(frame));
            }
            if !self.output.buffer.is_empty() && self.flush().await.is_err() {
                return Ok(Incoming::Closed);
            }
            if !self.read_more().await {
                return Ok(Incoming::Closed);
            }
        }
    }

    /// Reads what is there, or waits for some; whether there was any. Safe to be dropped while it waits.
    pub(crate) async fn read_more(&mut self) -> bool {
        if self.input.is_empty() && self.input.capacity() > KEPT_INPUT_MAX {
            self.input = BytesMut::new();
        }
        self.input.reserve(READ_SIZE);
        matches!(self.stream.socket().read_buf(&mut self.input).await, Ok(count) if count > 0)
    }

    /// Sends what is buffered.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if self.output.buffer.is_empty() {
            return Ok(());
        }
        let socket = self.stream.socket();
        let result = match socket.write_all(&self.output.buffer).await {
            Ok(()) => socket.flush().await,
            failed => failed,
        };
        self.output.clear();
        result
    }
}
