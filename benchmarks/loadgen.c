/* loadgen: drives any livelog-compatible server, checks every byte, and prints one line of JSON.
 *
 *   ingest   one chunked PUT of --bytes, until its final status
 *   catchup  --readers fetch the whole finished log of --bytes
 *   fanout   a producer sends --rate lines of --line bytes a second for --seconds (--rate 0: --bytes, flat out);
 *            --readers follow, --stalled more read nothing until the producer has ended, and then everything;
 *            --logs N: so many logs, /bench/0 and so on behind both paths, each at that rate, and the readers are theirs
 *            in turn
 *            --events: they follow as event streams, whose texts are taken out of JSON, and whose ids are checked, too
 *   idle     fanout at one line a second: the memory of readers that hold still
 *   pattern  no server: writes the log of --bytes to stdout, for a file server to serve
 *
 * Every log is the same endless pattern of numbered lines, so each reader's bytes are compared, all of them, with
 * what belongs at their position: one lost, repeated, changed or reordered byte fails the run. A run with any fault
 * prints "ok": false and exits 1; its figures are not figures.
 *
 * Latency is the age of a block's last byte when it has reached a reader: the stamp is taken just before the block is
 * first handed to the kernel, and kept here by block number. A block is a line or, flat out, one --chunk.
 *
 * CPU is that of the processes given by --pids, between the first and the last byte of the measured part (fanout:
 * readers are connected before it, and the log ends after it).
 *
 * It refuses to leave this machine (127.0.0.1 only), to verify certificates, and to wait for ever: 30 seconds without
 * a byte end the run. One thread, no dependency but OpenSSL, and that only for https (-DUSE_OPENSSL -lssl -lcrypto).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#ifdef USE_OPENSSL
#include <openssl/ssl.h>
#else
typedef void SSL;
#endif

enum {
    PERIOD_LINES = 4099,     /* the pattern repeats after this many lines: a prime, so no block size divides it */
    LARGEST_BLOCK = 1 << 18, /* of --chunk, --line and one read */
    LARGEST_EVENT = 1 << 19, /* bytes of one line of an event stream */
    HEAD_LIMIT = 4096,       /* bytes of a response head */
    IN_FLIGHT = 64,          /* readers that have asked and not yet got a byte */
    BURST = 16,              /* blocks the producer sends before readers get their turn */
    PATIENCE = 30,           /* seconds without a byte that end the run */
    RETRY = 10,              /* seconds in which the server may come up */
};
static const uint64_t PRODUCER_EVENT = 1ull << 32, TIMER_EVENT = UINT64_MAX; /* PRODUCER_EVENT + the log's number */

static const char *mode, *put_path = "/log", *get_path = "/log/token";
static int put_port = 60022, get_port = 60023, chunk = 32768, line = 100, rate = 100, readers_wanted = 1, stalled_wanted, logs = 1, use_tls, use_events;
static long long bytes = 1000000000;
static double seconds = 5, settle = 0.3;
static pid_t pids[64];
static int pid_count;

/* ---- outcome ---- */

static double measured_from, cpu_from, wall, cpu;
static long long rss_before, rss_after, memory_peak, delivered, measured; /* measured: of the delivered */
static int put_status, failed, fell_short, memory_readers;
static char first_fault[200];
static uint32_t *latencies; /* microseconds */
static size_t latency_count;

static double seconds_of(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t)) return -1;
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double now(void) { return seconds_of(CLOCK_MONOTONIC); }

static void fault(const char *format, ...) {
    if (first_fault[0]) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(first_fault, sizeof first_fault, format, arguments);
    va_end(arguments);
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile(double share) { /* nearest rank, in milliseconds */
    size_t rank = share * latency_count;
    return latencies[rank < latency_count ? rank : latency_count - 1] / 1e3;
}

static void report_and_exit(void) {
    double gigabytes = measured / 1e9;
    printf("{\"mode\": \"%s\", \"ok\": %s, \"error\": \"%s\"", mode, first_fault[0] ? "false" : "true", first_fault);
    printf(", \"readers\": %d, \"failed\": %d, \"short\": %d, \"put_status\": %d", readers_wanted + stalled_wanted, failed, fell_short, put_status);
    printf(", \"gb\": %.6f, \"wall_s\": %.4f, \"cpu_s\": %.6f, \"generator_cpu_s\": %.4f", gigabytes, wall, cpu, seconds_of(CLOCK_PROCESS_CPUTIME_ID));
    if (gigabytes > 0 && pid_count) printf(", \"cpu_s_per_gb\": %.4f", cpu / gigabytes);
    printf(", \"rss_before_kb\": %lld, \"rss_after_kb\": %lld, \"peak_kb\": %lld", rss_before, rss_after, memory_peak);
    if (memory_readers > 0) printf(", \"kb_per_reader\": %.3f", (double)(rss_after - rss_before) / memory_readers);
    if (latency_count) {
        qsort(latencies, latency_count, sizeof *latencies, compare);
        printf(", \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f", percentile(0.5), percentile(0.99), percentile(1));
    }
    puts("}");
    fflush(stdout);
    _exit(first_fault[0] ? 1 : 0);
}

static void give_up(const char *what) {
    fault("%s%s%s", what, errno ? ": " : "", errno ? strerror(errno) : "");
    report_and_exit();
}

/* ---- the server's processes ---- */

static double server_cpu(void) {
    double sum = 0;
    for (int i = 0; i < pid_count; i++) {
        clockid_t clock;
        double used = clock_getcpuclockid(pids[i], &clock) ? -1 : seconds_of(clock);
        if (used < 0) { errno = 0; give_up("the server died"); }
        sum += used;
    }
    return sum;
}

static long long server_memory(const char *field) { /* in KB, of all processes */
    long long sum = 0;
    for (int i = 0; i < pid_count; i++) {
        char text[256];
        snprintf(text, sizeof text, "/proc/%d/status", (int)pids[i]);
        FILE *status = fopen(text, "r");
        while (status && fgets(text, sizeof text, status))
            if (!strncmp(text, field, strlen(field))) sum += atoll(text + strlen(field));
        if (status) fclose(status);
    }
    return sum;
}

static void begin_measuring(void) {
    measured = -delivered;
    cpu_from = server_cpu();
    measured_from = now();
}

static void end_measuring(void) {
    wall = now() - measured_from;
    measured += delivered;
    cpu = server_cpu() - cpu_from;
    /* Of a process that ran for a few milliseconds, some virtual machines' clocks have not heard yet. */
    if (pid_count && cpu <= 0 && wall > 1) fault("the server used no CPU: are these all its processes?");
    memory_peak = server_memory("VmHWM:");
}

/* ---- the log: a pattern of numbered lines, sent block by block ---- */

static char *pattern; /* one period and LARGEST_BLOCK more, so that every block is contiguous */
static long long period, log_size;
static int block_size;
static long long blocks; /* of one log */
static uint64_t *stamps; /* by log and block, in nanoseconds; 0: not sent, or not measured */
static bool measuring_latency;

static void make_pattern(void) {
    period = (long long)PERIOD_LINES * line;
    pattern = malloc(period + LARGEST_BLOCK);
    char *numbered = malloc(line + 32);
    for (int i = 0; i < PERIOD_LINES; i++) {
        int digits = sprintf(numbered, "%04d ", i);
        for (int j = digits; j < line; j++) numbered[j] = 'a' + (i * 7 + j) % 26;
        numbered[line - 1] = '\n';
        memcpy(pattern + (long long)i * line, numbered, line);
    }
    free(numbered);
    for (long long i = 0; i < LARGEST_BLOCK; i++) pattern[period + i] = pattern[i % period];
}

static uint64_t nanoseconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* ---- sockets ---- */

static int poller;
static double last_progress;

static void watch(int fd, int operation, unsigned events, uint64_t id) {
    struct epoll_event event = {.events = events, .data.u64 = id};
    if (epoll_ctl(poller, operation, fd, &event)) give_up("epoll_ctl");
}

static int connect_to(int port) { /* blocking, as are the request and the TLS handshake; -1: refused */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = RETRY};
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    if (fd < 0) give_up("socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (!connect(fd, (struct sockaddr *)&address, sizeof address)) return fd;
    close(fd);
    return -1;
}

/* ---- readers ---- */

enum chunk_part { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END, TRAILER };
static struct reader {
    int fd, head_size, part_bytes; /* part_bytes: length so far of the size, end or trailer line */
    SSL *ssl;
    char *head;
    enum { ASKED, IN_BODY, FINISHED, BROKEN, TO_RETRY } state;
    enum chunk_part part;
    bool stalled, chunked, has_all, told_end, is_text; /* is_text: the event that is being read has no name */
    long long offset, left; /* body bytes verified; bytes left of the chunk or of the Content-Length */
    long long event_id;
    char *event_line; /* what has come of a line of an event stream, and how much of that there is */
    size_t event_size, event_room;
} *readers;
static int started, ended, have_all; /* the broken count in all three, the stalled only in ended */
static double retry_until;           /* for the first reader: the server may not be up yet */
static char incoming[LARGEST_BLOCK];

#ifdef USE_OPENSSL
static SSL_CTX *tls_context;

static SSL *tls_over(int fd) {
    if (!tls_context) {
        tls_context = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_ciphersuites(tls_context, "TLS_AES_128_GCM_SHA256"); /* the same work for every server */
        SSL_CTX_set_mode(tls_context, SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_read_ahead(tls_context, 1);
        SSL_CTX_set_default_read_buffer_len(tls_context, 1 << 17);
    }
    SSL *ssl = SSL_new(tls_context);
    SSL_set_fd(ssl, fd);
    if (SSL_connect(ssl) == 1) return ssl;
    SSL_free(ssl);
    return NULL;
}

static bool send_request(struct reader *r, const char *request, int size) {
    if (!use_tls) return send(r->fd, request, size, MSG_NOSIGNAL) == size;
    return (r->ssl = tls_over(r->fd)) && SSL_write(r->ssl, request, size) == size;
}

static ssize_t receive(struct reader *r) { /* as recv: 0 at the end, -1 and EAGAIN when there is nothing */
    if (!r->ssl) return recv(r->fd, incoming, sizeof incoming, 0);
    int count = SSL_read(r->ssl, incoming, sizeof incoming);
    if (count > 0) return count;
    int reason = SSL_get_error(r->ssl, count);
    errno = reason == SSL_ERROR_WANT_READ ? EAGAIN : ECONNRESET;
    return reason == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

static void hang_up(struct reader *r) {
    if (r->ssl) SSL_free(r->ssl);
    r->ssl = NULL;
    close(r->fd);
}
#else
static bool send_request(struct reader *r, const char *request, int size) { return send(r->fd, request, size, MSG_NOSIGNAL) == size; }
static ssize_t receive(struct reader *r) { return recv(r->fd, incoming, sizeof incoming, 0); }
static void hang_up(struct reader *r) { close(r->fd); }
#endif

static void stop(struct reader *r, int state) {
    if (state == BROKEN) failed++;
    if (!r->offset && !r->stalled) started++;
    if (!r->has_all && !r->stalled) have_all++;
    r->has_all = true;
    r->state = state;
    ended++;
    free(r->head);
    free(r->event_line);
    r->head = r->event_line = NULL;
    hang_up(r);
}

static void break_off(struct reader *r, const char *why) {
    if (r == readers && !started && now() < retry_until) {
        r->state = TO_RETRY;
        free(r->head);
        r->head = NULL;
        hang_up(r);
        return;
    }
    fault("reader %d%s: %s after %lld of %lld bytes", (int)(r - readers), r->stalled ? " (stalled)" : "", why, r->offset, log_size);
    stop(r, BROKEN);
}

static void finish(struct reader *r) {
    if (use_events && !r->told_end) fault("reader %d: no event tells the end", (int)(r - readers));
    if (r->offset != log_size) {
        fell_short++;
        fault("reader %d%s: clean end after %lld of %lld bytes", (int)(r - readers), r->stalled ? " (stalled)" : "", r->offset, log_size);
    }
    stop(r, FINISHED);
}

static void take_body(struct reader *r, const char *data, size_t count) {
    if (r->offset + (long long)count > log_size) { break_off(r, "more bytes than were sent"); return; }
    if (memcmp(data, pattern + r->offset % period, count)) { break_off(r, "wrong bytes"); return; }
    if (!r->offset && !r->stalled) started++;
    if (measuring_latency && !r->stalled) {
        uint64_t arrived = nanoseconds(), *sent_at = stamps + (r - readers) % logs * blocks;
        long long complete = (r->offset + (long long)count) / block_size;
        for (long long block = r->offset / block_size; block < complete; block++)
            if (sent_at[block]) latencies[latency_count++] = (arrived - sent_at[block]) / 1000;
    }
    r->offset += count;
    delivered += count;
    if (r->offset == log_size) {
        r->has_all = true;
        if (!r->stalled) have_all++;
    }
}

static size_t unescape(char *text, size_t count) { /* of JSON: the pattern has nothing to escape but ends of lines */
    char *to = text;
    for (size_t i = 0; i < count; i++)
        if (text[i] != '\\') *to++ = text[i];
        else if (++i < count && text[i] == 'n') *to++ = '\n';
        else *to++ = 0; /* which no line has */
    return to - text;
}

static void take_event_line(struct reader *r, char *text, size_t count) { /* without its end; there is a zero behind it */
    static const char first[] = "data: {\"offset\": ", second[] = ", \"text\": \"", time[] = "\", \"time\": \"";
    char *end, *stop;
    if (!count) r->is_text = true;
    else if (!strncmp(text, "id: ", 4)) r->event_id = atoll(text + 4);
    else if (!strncmp(text, "event: ", 7)) {
        r->is_text = false;
        if (!strcmp(text + 7, "end")) r->told_end = true;
    } else if (r->is_text && !strncmp(text, first, sizeof first - 1)) {
        if (strtoll(text + sizeof first - 1, &end, 10) != r->offset || strncmp(end, second, sizeof second - 1) || text[count - 1] != '}') {
            break_off(r, "an event that is not the next one");
            return;
        }
        end += sizeof second - 1;
        stop = strchr(end, '"'); /* the pattern has none: here the text ends */
        if (!stop || (strcmp(stop, "\"}") && strncmp(stop, time, sizeof time - 1))) { break_off(r, "an event whose text does not end"); return; }
        take_body(r, end, unescape(end, stop - end));
        if (r->state == IN_BODY && r->offset != r->event_id) break_off(r, "an event with another id");
    } else if (r->is_text && *text != ':') break_off(r, "a line that belongs to no event");
}

static void take_content(struct reader *r, const char *data, size_t count) {
    if (!use_events) { take_body(r, data, count); return; }
    while (count && r->state == IN_BODY) {
        const char *end = memchr(data, '\n', count);
        size_t piece = end ? (size_t)(end - data) : count;
        if (r->event_size + piece >= LARGEST_EVENT) { break_off(r, "an endless event"); return; }
        if (r->event_size + piece >= r->event_room) r->event_line = realloc(r->event_line, r->event_room = 2 * (r->event_size + piece) + 512);
        memcpy(r->event_line + r->event_size, data, piece);
        r->event_size += piece;
        data += piece + !!end;
        count -= piece + !!end;
        if (!end) return;
        r->event_line[r->event_size] = 0;
        piece = r->event_size;
        r->event_size = 0;
        take_event_line(r, r->event_line, piece);
    }
}

static void take_chunked(struct reader *r, const char *data, size_t count) {
    while (count && r->state == IN_BODY) {
        if (r->part == CHUNK_DATA) {
            size_t piece = (long long)count < r->left ? count : (size_t)r->left;
            take_content(r, data, piece);
            data += piece;
            count -= piece;
            if (!(r->left -= piece)) r->part = CHUNK_END;
            continue;
        }
        char c = *data++;
        count--;
        if (c == '\n') {
            bool empty = !r->part_bytes;
            r->part_bytes = 0;
            if (r->part == CHUNK_END && empty) r->part = CHUNK_SIZE;
            else if (r->part == TRAILER && empty) finish(r);
            else if (r->part == CHUNK_EXTENSION || (r->part == CHUNK_SIZE && !empty)) r->part = r->left ? CHUNK_DATA : TRAILER;
            else if (r->part != TRAILER) break_off(r, "bad chunk framing");
        } else if (c != '\r') {
            const char *hex = "0123456789abcdefABCDEF", *digit = c ? strchr(hex, c) : NULL;
            r->part_bytes++;
            if (r->part == CHUNK_SIZE && digit) r->left = r->left * 16 + (digit - hex) - (digit - hex > 15 ? 6 : 0);
            else if (r->part == CHUNK_SIZE && c == ';') r->part = CHUNK_EXTENSION;
            else if (r->part == CHUNK_SIZE || r->part == CHUNK_END) break_off(r, "bad chunk framing");
        }
    }
    if (count && r->state == FINISHED) fault("reader %d: bytes after the end", (int)(r - readers));
}

static void take_counted(struct reader *r, const char *data, size_t count) {
    if ((long long)count > r->left) { break_off(r, "more bytes than its Content-Length"); return; }
    take_content(r, data, count);
    if (r->state == IN_BODY && !(r->left -= count)) finish(r);
}

static void take_head(struct reader *r, const char *data, size_t count) {
    size_t room = HEAD_LIMIT - r->head_size, piece = count < room ? count : room;
    memcpy(r->head + r->head_size, data, piece);
    char *end = memmem(r->head, r->head_size + piece, "\r\n\r\n", 4);
    if (!end) {
        r->head_size += piece;
        if (piece < count || r->head_size == HEAD_LIMIT) break_off(r, "endless response head");
        return;
    }
    size_t rest = count - (end + 4 - r->head - r->head_size);
    end[2] = 0;
    const char *length = strcasestr(r->head, "\r\nContent-Length:");
    r->chunked = strcasestr(r->head, "\r\nTransfer-Encoding: chunked");
    r->left = !r->chunked && length ? atoll(length + strlen("\r\nContent-Length:")) : 0;
    char why[40];
    snprintf(why, sizeof why, "status %d", r->head_size + piece > 12 ? atoi(r->head + 9) : 0);
    r->state = IN_BODY;
    if (strncmp(r->head, "HTTP/1.1 200", 12)) break_off(r, why);
    else if (!r->chunked && !length) break_off(r, "neither chunked nor Content-Length");
    else if (r->chunked) take_chunked(r, data + count - rest, rest);
    else if (rest) take_counted(r, data + count - rest, rest);
    else if (!r->left) finish(r);
    free(r->head);
    r->head = NULL;
}

static void hear_reader(struct reader *r) {
    for (int turns = 0; r->state < FINISHED; turns++) {
        ssize_t count = receive(r);
        if (count < 0 && errno == EAGAIN) return;
        if (count <= 0) { break_off(r, count ? strerror(errno) : "connection closed"); return; }
        last_progress = now();
        if (r->state == ASKED) take_head(r, incoming, count);
        else if (r->chunked) take_chunked(r, incoming, count);
        else take_counted(r, incoming, count);
#ifdef USE_OPENSSL
        if (r->ssl && (turns < 16 || SSL_has_pending(r->ssl))) continue; /* what OpenSSL holds, epoll cannot see */
#endif
        return;
    }
}

static void listen_to(struct reader *r) {
    if (fcntl(r->fd, F_SETFL, O_NONBLOCK)) give_up("fcntl");
    watch(r->fd, EPOLL_CTL_ADD, EPOLLIN, r - readers);
}

static const char *log_name(int number) {
    static char name[32];
    snprintf(name, sizeof name, "/bench/%d", number);
    return logs > 1 ? name : "";
}

static void open_reader(struct reader *r) {
    char request[600];
    int size = snprintf(request, sizeof request, "GET %s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n", get_path, log_name((r - readers) % logs), get_port);
    *r = (struct reader){.fd = connect_to(get_port), .head = malloc(HEAD_LIMIT), .stalled = r - readers >= readers_wanted, .is_text = true};
    if (r->fd < 0 || !send_request(r, request, size)) break_off(r, "cannot connect");
    else if (!r->stalled) listen_to(r);
    else if (recv(r->fd, request, 1, MSG_PEEK) != 1) break_off(r, "no answer");
}

/* ---- the producers, one for each log ---- */

static struct producer {
    int fd, size, sent, answer_size, status; /* size and sent: of the frame on its way */
    long long block, due;                    /* next block, blocks that may go now */
    bool may_end, end_sent, waiting;
    char *frame, *answer;
} *producers;
static int answered; /* producers */

static bool next_frame(struct producer *p) {
    p->sent = 0;
    if (p->block < p->due) {
        long long from = p->block * block_size, rest = log_size - from;
        int size = rest < block_size ? (int)rest : block_size, head = sprintf(p->frame, "%x\r\n", size);
        memcpy(p->frame + head, pattern + from % period, size);
        memcpy(p->frame + head + size, "\r\n", 2);
        p->size = head + size + 2;
        if (measuring_latency) stamps[(p - producers) * blocks + p->block] = nanoseconds();
        p->block++;
        return true;
    }
    p->size = p->may_end && !p->end_sent ? sprintf(p->frame, "0\r\n\r\n") : 0;
    p->end_sent = p->may_end;
    return p->size > 0;
}

static void pump(struct producer *p) {
    bool more = true;
    for (int burst = 0; burst < BURST; burst++) {
        if (p->sent == p->size && !(more = next_frame(p))) break;
        ssize_t count = send(p->fd, p->frame + p->sent, p->size - p->sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) break;
        if (count < 0) give_up("the PUT was cut off");
        p->sent += count;
        last_progress = now();
    }
    if (more == p->waiting) return;
    p->waiting = more;
    watch(p->fd, EPOLL_CTL_MOD, more ? EPOLLIN | EPOLLOUT : EPOLLIN, PRODUCER_EVENT + (p - producers));
}

static void pump_all(long long due, bool may_end) { /* blocks that each may send, and whether it may end then */
    for (struct producer *p = producers; p < producers + logs; p++) {
        if (p->due < due) p->due = due;
        p->may_end = may_end;
        pump(p);
    }
}

static void hear_producer(struct producer *p) {
    ssize_t count = recv(p->fd, p->answer + p->answer_size, HEAD_LIMIT - 1 - p->answer_size, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) { errno = 0; give_up("the PUT's connection was closed without an answer"); }
    p->answer_size += count;
    p->answer[p->answer_size] = 0;
    for (char *end; (end = strstr(p->answer, "\r\n\r\n"));) {
        int status = strlen(p->answer) > 12 ? atoi(p->answer + 9) : 0;
        if (status / 100 == 1) { memmove(p->answer, end + 4, strlen(end + 4) + 1); continue; }
        put_status = p->status = status;
        if (status / 100 != 2 || !p->end_sent) {
            fault("the PUT was answered %d%s", status, p->end_sent ? "" : " before its end");
            report_and_exit();
        }
        close(p->fd);
        answered++;
        return;
    }
    p->answer_size = strlen(p->answer);
}

static void start_producer(struct producer *p) {
    double deadline = now() + RETRY;
    while ((p->fd = connect_to(put_port)) < 0) {
        if (now() > deadline) give_up("cannot connect to the producers' port");
        usleep(5000);
    }
    p->frame = malloc(block_size + 32);
    p->answer = malloc(HEAD_LIMIT);
    char head[600];
    int size = snprintf(head, sizeof head, "PUT %s%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nTransfer-Encoding: chunked\r\n\r\n", put_path,
                        log_name(p - producers), put_port);
    if (send(p->fd, head, size, MSG_NOSIGNAL) != size || fcntl(p->fd, F_SETFL, O_NONBLOCK)) give_up("PUT");
    watch(p->fd, EPOLL_CTL_ADD, EPOLLIN, PRODUCER_EVENT + (p - producers));
}

static void start_producers(void) {
    for (struct producer *p = producers; p < producers + logs; p++) start_producer(p);
}

static long long unsent(void) { /* blocks of all logs */
    long long count = 0;
    for (struct producer *p = producers; p < producers + logs; p++) count += blocks - p->block;
    return count;
}

/* ---- the loop and the modes ---- */

static int timer, next_log;

static void turn(void) {
    struct epoll_event events[64];
    int count = epoll_wait(poller, events, 64, 20);
    for (int i = 0; i < count; i++) {
        uint64_t id = events[i].data.u64, expirations;
        if (id == TIMER_EVENT) {
            if (read(timer, &expirations, sizeof expirations) != sizeof expirations) continue;
            for (; expirations; expirations--, next_log = (next_log + 1) % logs) { /* logs are due in turn */
                struct producer *p = &producers[next_log];
                if (p->due < blocks) p->due++;
                pump(p);
            }
        } else if (id >= PRODUCER_EVENT) {
            struct producer *p = &producers[id - PRODUCER_EVENT];
            if (events[i].events & ~EPOLLOUT) hear_producer(p);
            if (events[i].events & EPOLLOUT && !p->status) pump(p);
        } else hear_reader(&readers[id]);
    }
    if (now() - last_progress > PATIENCE) { errno = 0; give_up("30 seconds without a byte"); }
}

static void run_for(double duration) {
    for (double until = now() + duration; now() < until;) turn();
}

static void open_readers(void) {
    int opened = 0;
    retry_until = now() + RETRY;
    while (started < readers_wanted) {
        if (readers[0].state == TO_RETRY) { usleep(5000); open_reader(&readers[0]); }
        while (opened < readers_wanted && opened - started < (started ? IN_FLIGHT : 1)) open_reader(&readers[opened++]);
        turn();
        if (started && !rss_before) rss_before = server_memory("VmRSS:");
    }
}

static void ingest(void) {
    begin_measuring();
    start_producers();
    pump_all(blocks, true);
    while (answered < logs) turn();
    delivered = log_size;
    end_measuring();
}

static void catchup(void) {
    begin_measuring();
    open_readers();
    while (ended < readers_wanted) turn();
    end_measuring();
}

static void fanout(void) {
    start_producers();
    pump_all(1, false);
    open_readers();
    for (int i = 0; i < stalled_wanted; i++) open_reader(&readers[readers_wanted + i]);
    run_for(settle);
    measuring_latency = true;
    begin_measuring();
    if (rate) {
        long long all = (long long)rate * logs;
        struct itimerspec pace = {.it_interval = {1 / all, 1000000000 / all % 1000000000}, .it_value = {0, 1000000}};
        timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
        if (timer < 0 || timerfd_settime(timer, 0, &pace, NULL)) give_up("timerfd");
        watch(timer, EPOLL_CTL_ADD, EPOLLIN, TIMER_EVENT);
    } else pump_all(blocks, false);
    while (have_all < readers_wanted || unsent()) turn();
    end_measuring();
    run_for(settle);
    rss_after = server_memory("VmRSS:");
    memory_readers = readers_wanted - 1; /* the first was there before */
    pump_all(blocks, true);
    for (int i = 0; i < stalled_wanted; i++)
        if (readers[readers_wanted + i].state == ASKED) listen_to(&readers[readers_wanted + i]);
    while (ended < readers_wanted + stalled_wanted || answered < logs) turn();
}

static void write_pattern(void) {
    for (long long done = 0; done < log_size;) {
        long long rest = log_size - done;
        size_t piece = fwrite(pattern + done % period, 1, rest < LARGEST_BLOCK ? rest : LARGEST_BLOCK, stdout);
        if (!piece) { perror("stdout"); exit(1); }
        done += piece;
    }
    if (fflush(stdout)) { perror("stdout"); exit(1); }
}

static void usage(void) {
    fputs("usage: loadgen ingest|catchup|fanout|idle|pattern [--put-port N] [--get-port N] [--put-path P] [--get-path P] [--bytes N] [--chunk N]\n"
          "               [--line N] [--rate N] [--seconds S] [--settle S] [--readers N] [--stalled N] [--logs N] [--events] [--tls] [--pids N,N...]\n", stderr);
    exit(64);
}

static void read_options(int argc, char **argv) {
    static const struct option options[] = {
        {"put-port", 1, 0, 'p'}, {"get-port", 1, 0, 'g'}, {"put-path", 1, 0, 'P'}, {"get-path", 1, 0, 'G'}, {"bytes", 1, 0, 'b'},
        {"chunk", 1, 0, 'c'}, {"line", 1, 0, 'l'}, {"rate", 1, 0, 'r'}, {"seconds", 1, 0, 's'}, {"settle", 1, 0, 'S'},
        {"readers", 1, 0, 'n'}, {"stalled", 1, 0, 'N'}, {"logs", 1, 0, 'L'}, {"tls", 0, 0, 't'}, {"events", 0, 0, 'e'}, {"pids", 1, 0, 'i'}, {0}};
    mode = argc > 1 ? argv[1] : "";
    optind = 2;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) switch (option) {
        case 'p': put_port = atoi(optarg); break;
        case 'g': get_port = atoi(optarg); break;
        case 'P': put_path = optarg; break;
        case 'G': get_path = optarg; break;
        case 'b': bytes = atoll(optarg); break;
        case 'c': chunk = atoi(optarg); break;
        case 'l': line = atoi(optarg); break;
        case 'r': rate = atoi(optarg); break;
        case 's': seconds = atof(optarg); break;
        case 'S': settle = atof(optarg); break;
        case 'n': readers_wanted = atoi(optarg); break;
        case 'N': stalled_wanted = atoi(optarg); break;
        case 'L': logs = atoi(optarg); break;
        case 't': use_tls = 1; break;
        case 'e': use_events = 1; break;
        case 'i':
            for (char *pid = strtok(optarg, ","); pid && pid_count < 64; pid = strtok(NULL, ",")) pids[pid_count++] = atoi(pid);
            break;
        default: usage();
    }
    if (optind < argc || bytes < 1 || chunk < 1 || chunk > LARGEST_BLOCK || line < 8 || line > LARGEST_BLOCK || rate < 0 || seconds <= 0 ||
        readers_wanted < 1 || stalled_wanted < 0 || logs < 1 || logs > readers_wanted) usage();
#ifndef USE_OPENSSL
    if (use_tls) give_up("built without OpenSSL");
#endif
}

int main(int argc, char **argv) {
    read_options(argc, argv);
    bool is_idle = !strcmp(mode, "idle"), is_fanout = is_idle || !strcmp(mode, "fanout");
    if (is_idle) rate = 1;
    block_size = is_fanout && rate ? line : chunk;
    log_size = is_fanout && rate ? line * (1 + (long long)(rate * seconds)) : bytes;
    make_pattern();
    if (!strcmp(mode, "pattern")) { write_pattern(); return 0; }

    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < (rlim_t)(readers_wanted + stalled_wanted + logs + 16)) give_up("too few file descriptors for so many readers (ulimit -Hn)");
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    blocks = (log_size + block_size - 1) / block_size;
    producers = calloc(logs, sizeof *producers);
    stamps = calloc(logs * blocks, sizeof *stamps);
    latencies = malloc(blocks * readers_wanted * sizeof *latencies);
    readers = calloc(readers_wanted + stalled_wanted, sizeof *readers);
    poller = epoll_create1(0);
    last_progress = now();
    if (is_fanout) fanout();
    else if (!strcmp(mode, "ingest")) ingest();
    else if (!strcmp(mode, "catchup")) catchup();
    else usage();
    report_and_exit();
}
