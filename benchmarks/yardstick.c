/* yardstick: the least that livelog's job can cost on one core.
 *
 * A bare epoll loop that makes the system calls the job needs and does nothing else: recv the producer's bytes,
 * write them to an unnamed file, send them to every reader that has caught up, sendfile them to every reader that
 * has not. A reader is an offset into the file, so late, slow and stalled readers lose nothing.
 *
 * The producer's chunked framing is stored as it comes and is the readers' framing too: no byte is parsed and no
 * chunk header can be torn. A producer that breaks off leaves out the last chunk, and so does every reader's answer.
 *
 * It refuses to be a server: loopback only, no HTTP parsing (a request is whatever the first packet holds; the only
 * log names are none and /bench/ with a number behind it), no TLS, no tokens, no limits, no timeouts.
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
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FD = 1 << 16, MAX_LOGS = 1 << 12, BLOCK = 1 << 16, SENDFILE_TURN = 1 << 21 };
static const char LAST_CHUNK[] = "\r\n0\r\n\r\n", CREATED[] = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                  ANSWER[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
enum { LAST_CHUNK_SIZE = sizeof LAST_CHUNK - 1 };

enum kind { NOBODY, PRODUCERS_PORT, READERS_PORT, PRODUCER, NEW_READER, LIVE, BEHIND };
static struct peer {
    enum kind kind;
    struct log *log;
    int next, previous; /* LIVE: the neighbours in its log's ring of readers that have caught up */
    off_t offset;       /* readers: the next byte of the log they need */
} peers[MAX_FD];

static struct log {
    int fd, producer, live; /* live: one of the ring; -1: there is none */
    enum { NOT_BEGUN, GROWING, ENDED } state;
    off_t size;
    char tail[LAST_CHUNK_SIZE];
} logs[MAX_LOGS];

static int poller;
static const char *directory;
static char block[BLOCK];

static void die(const char *what) { perror(what); exit(1); }

static void watch(int fd, int operation, unsigned events) {
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(poller, operation, fd, &event)) die("epoll_ctl");
}

static struct log *log_named_in(const char *request, size_t size) { /* made when it is first asked for */
    const char *end = memchr(request, '\n', size), *name = memmem(request, end ? (size_t)(end - request) : size, "/bench/", 7);
    struct log *log = &logs[name ? atoi(name + 7) % (MAX_LOGS - 1) + 1 : 0];
    if (!log->fd) {
        log->live = -1;
        if ((log->fd = open(directory, O_TMPFILE | O_RDWR, 0600)) < 0) die("LIVELOG_TEMP_DIR");
    }
    return log;
}

static void join_live(int fd) {
    struct peer *reader = &peers[fd];
    int first = reader->log->live < 0 ? fd : reader->log->live;
    reader->log->live = fd;
    reader->next = first;
    reader->previous = first == fd ? fd : peers[first].previous;
    peers[reader->previous].next = peers[first].previous = fd;
    reader->kind = LIVE;
}

static void leave_live(int fd) {
    struct peer *reader = &peers[fd];
    if (reader->log->live == fd) reader->log->live = reader->next == fd ? -1 : reader->next;
    peers[reader->previous].next = reader->next;
    peers[reader->next].previous = reader->previous;
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
    struct log *log = reader->log;
    if (reader->offset < log->size) {
        off_t behind = log->size - reader->offset;
        ssize_t sent = sendfile(fd, log->fd, &reader->offset, behind < SENDFILE_TURN ? behind : SENDFILE_TURN);
        if (sent < 0 && errno != EAGAIN) { drop(fd); return; }
    }
    if (reader->offset < log->size) fall_behind(fd);
    else if (log->state == ENDED) drop(fd);
    else {
        if (reader->kind == BEHIND) watch(fd, EPOLL_CTL_MOD, EPOLLIN);
        join_live(fd);
    }
}

static void fan_out(struct log *log, const char *bytes, size_t count) {
    if (log->live < 0) return;
    int last = peers[log->live].previous, next = log->live;
    for (int fd = -1; fd != last;) {
        fd = next;
        next = peers[fd].next; /* it may leave */
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) { drop(fd); continue; }
        if (sent > 0) peers[fd].offset += sent;
        if (sent < (ssize_t)count) fall_behind(fd);
    }
}

static int store(struct log *log, const char *bytes, size_t count) { /* returns whether the log now ends with the last chunk */
    for (size_t done = 0; done < count;) {
        ssize_t written = write(log->fd, bytes + done, count - done);
        if (written < 0) die("write");
        done += written;
    }
    log->size += count;
    size_t fresh = count < LAST_CHUNK_SIZE ? count : LAST_CHUNK_SIZE;
    memmove(log->tail, log->tail + fresh, LAST_CHUNK_SIZE - fresh);
    memcpy(log->tail + LAST_CHUNK_SIZE - fresh, bytes + count - fresh, fresh);
    return !memcmp(log->tail, LAST_CHUNK, LAST_CHUNK_SIZE);
}

static void end_log(struct log *log) {
    drop(log->producer);
    log->state = ENDED;
    while (log->live >= 0) drop(log->live);
}

static void hear_producer(int fd) {
    ssize_t count = recv(fd, block, BLOCK, 0);
    if (count < 0 && errno == EAGAIN) return;
    char *body = block;
    struct log *log = peers[fd].log;
    if (!log) { /* the request's head has to come in one piece */
        char *head_end = count > 0 ? memmem(block, count, "\r\n\r\n", 4) : NULL;
        if (!head_end || (log = log_named_in(block, count))->state != NOT_BEGUN) { drop(fd); return; }
        log->state = GROWING;
        log->producer = fd;
        peers[fd].log = log;
        body = head_end + 4;
        count -= body - block;
    } else if (count <= 0) { end_log(log); return; }
    if (!count) return;
    int ended = store(log, body, count);
    fan_out(log, body, count);
    if (ended) {
        send(fd, CREATED, sizeof CREATED - 1, MSG_NOSIGNAL);
        end_log(log);
    }
}

static void hear_reader(int fd) {
    static char request[4096];
    ssize_t count = recv(fd, request, sizeof request, 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) { drop(fd); return; }
    if (count < 0 || peers[fd].kind != NEW_READER) return;
    peers[fd].log = log_named_in(request, count);
    if (send(fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) != sizeof ANSWER - 1) drop(fd);
    else serve_from_file(fd);
}

static void welcome(int port_fd) {
    int fd, yes = 1;
    while ((fd = accept4(port_fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        enum kind kind = peers[port_fd].kind == READERS_PORT ? NEW_READER : PRODUCER;
        if (fd >= MAX_FD) { close(fd); continue; }
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
    directory = getenv("LIVELOG_TEMP_DIR");
    if (!directory) directory = "/tmp";
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
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
