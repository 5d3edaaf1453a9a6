/* yardstick: the least that livelog's job can cost on one core.
 *
 * A bare epoll loop that makes the system calls the job needs and does nothing else: recv the producer's bytes,
 * write them to an unnamed file, send them to every reader that has caught up, sendfile them to every reader that
 * has not. A reader is an offset into the file, so late, slow and stalled readers lose nothing.
 *
 * The producer's chunked framing is stored as it comes and is the readers' framing too: no byte is parsed and no
 * chunk header can be torn. A producer that breaks off leaves out the last chunk, and so does every reader's answer.
 *
 * It refuses to be a server: loopback only, one log per process, no HTTP parsing (a request is whatever the first
 * packet holds), no TLS, no tokens, no limits, no timeouts.
 *
 *   LIVELOG_PUT_PORT=60022 LIVELOG_GET_PORT=60023 LIVELOG_TEMP_DIR=/dev/shm ./yardstick
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FD = 1 << 16, BLOCK = 1 << 16, SENDFILE_TURN = 1 << 21 };
static const char LAST_CHUNK[] = "\r\n0\r\n\r\n", CREATED[] = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                  ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
enum { LAST_CHUNK_SIZE = sizeof LAST_CHUNK - 1 };

enum kind { NOBODY, PRODUCERS_PORT, READERS_PORT, PRODUCER, NEW_READER, LIVE, BEHIND };
static struct peer {
    enum kind kind;
    int place;    /* LIVE: index in live[] */
    off_t offset; /* readers: the next byte of the log they need */
} peers[MAX_FD];

static int poller, log_fd, the_producer, live[MAX_FD], live_count;
static enum { NOT_BEGUN, GROWING, ENDED } log_state;
static off_t log_size;
static char block[BLOCK], log_tail[LAST_CHUNK_SIZE];

static void die(const char *what) { perror(what); exit(1); }

static void watch(int fd, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(poller, operation, fd, &event)) die("epoll_ctl");
}

static void leave_live(int fd) {
    int last = live[--live_count];
    live[peers[fd].place] = last;
    peers[last].place = peers[fd].place;
}

static void drop(int fd) {
    if (peers[fd].kind == LIVE) leave_live(fd);
    peers[fd].kind = NOBODY;
    close(fd);
}

static void fall_behind(int fd) {
    if (peers[fd].kind == LIVE) leave_live(fd);
    if (peers[fd].kind != BEHIND) watch(fd, EPOLL_CTL_MOD, EPOLLOUT);
    peers[fd].kind = BEHIND;
}

static void serve_from_file(int fd) { /* one bounded turn, so that readers share the loop */
    struct peer *reader = &peers[fd];
    if (reader->offset < log_size) {
        off_t behind = log_size - reader->offset;
        ssize_t sent = sendfile(fd, log_fd, &reader->offset, behind < SENDFILE_TURN ? behind : SENDFILE_TURN);
        if (sent < 0 && errno != EAGAIN) { drop(fd); return; }
    }
    if (reader->offset < log_size) fall_behind(fd);
    else if (log_state == ENDED) drop(fd);
    else {
        if (reader->kind == BEHIND) watch(fd, EPOLL_CTL_MOD, EPOLLIN);
        reader->kind = LIVE;
        reader->place = live_count;
        live[live_count++] = fd;
    }
}

static void fan_out(const char *bytes, size_t count) {
    for (int i = live_count - 1; i >= 0; i--) { /* backwards: whoever leaves is replaced by one already served */
        int fd = live[i];
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) { drop(fd); continue; }
        if (sent > 0) peers[fd].offset += sent;
        if (sent < (ssize_t)count) fall_behind(fd);
    }
}

static int store(const char *bytes, size_t count) { /* returns whether the log now ends with the last chunk */
    for (size_t done = 0; done < count;) {
        ssize_t written = write(log_fd, bytes + done, count - done);
        if (written < 0) die("write");
        done += written;
    }
    log_size += count;
    size_t fresh = count < LAST_CHUNK_SIZE ? count : LAST_CHUNK_SIZE;
    memmove(log_tail, log_tail + fresh, LAST_CHUNK_SIZE - fresh);
    memcpy(log_tail + LAST_CHUNK_SIZE - fresh, bytes + count - fresh, fresh);
    return !memcmp(log_tail, LAST_CHUNK, LAST_CHUNK_SIZE);
}

static void end_log(int producer) {
    drop(producer);
    log_state = ENDED;
    while (live_count) drop(live[live_count - 1]);
}

static void hear_producer(int fd) {
    ssize_t count = recv(fd, block, BLOCK, 0);
    if (count < 0 && errno == EAGAIN) return;
    char *body = block;
    if (log_state == NOT_BEGUN) { /* the request's head has to come in one piece */
        char *head_end = count > 0 ? memmem(block, count, "\r\n\r\n", 4) : NULL;
        if (!head_end) { drop(fd); return; }
        log_state = GROWING;
        the_producer = fd;
        body = head_end + 4;
        count -= body - block;
    } else if (fd != the_producer) { drop(fd); return; }
    else if (count <= 0) { end_log(fd); return; }
    if (!count) return;
    int ended = store(body, count);
    fan_out(body, count);
    if (ended) {
        send(fd, CREATED, sizeof CREATED - 1, MSG_NOSIGNAL);
        end_log(fd);
    }
}

static void hear_reader(int fd) {
    static char ignored[4096];
    ssize_t count = recv(fd, ignored, sizeof ignored, 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) drop(fd);
    else if (count < 0 || peers[fd].kind != NEW_READER) return;
    else if (send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) != sizeof ANSWER - 1) drop(fd);
    else serve_from_file(fd);
}

static void welcome(int port_fd) {
    int fd, yes = 1;
    while ((fd = accept4(port_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        enum kind kind = peers[port_fd].kind == READERS_PORT ? NEW_READER : PRODUCER;
        if (fd >= MAX_FD || (kind == PRODUCER && log_state != NOT_BEGUN)) { close(fd); continue; }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        peers[fd] = (struct peer){.kind = kind};
        watch(fd, EPOLL_CTL_ADD, EPOLLIN);
    }
    if (errno != EAGAIN && errno != ECONNABORTED) die("accept");
}

static void listen_on(const char *variable, enum kind kind) {
    const char *port = getenv(variable);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port ? atoi(port) : 0), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (!port || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) die(variable);
    peers[fd].kind = kind;
    watch(fd, EPOLL_CTL_ADD, EPOLLIN);
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    const char *directory = getenv("LIVELOG_TEMP_DIR");
    if ((log_fd = open(directory ? directory : "/tmp", O_TMPFILE | O_RDWR, 0600)) < 0) die("LIVELOG_TEMP_DIR");
    if ((poller = epoll_create1(0)) < 0) die("epoll_create1");
    listen_on("LIVELOG_PUT_PORT", PRODUCERS_PORT);
    listen_on("LIVELOG_GET_PORT", READERS_PORT);
    puts("yardstick ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        int count = epoll_wait(poller, events, 256, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            switch (peers[fd].kind) {
            case PRODUCERS_PORT: case READERS_PORT: welcome(fd); break;
            case PRODUCER: hear_producer(fd); break;
            case NEW_READER: case LIVE: hear_reader(fd); break;
            case BEHIND: serve_from_file(fd); break;
            case NOBODY: break; /* dropped earlier in this batch */
            }
        }
    }
}
