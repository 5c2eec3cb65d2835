/* The far side of the benchmark: a provider that answers at once, or as slowly as it is told.
 *
 *   provider        listens on a free loopback port, prints its number, serves until killed
 *
 * A POST is answered like an OpenAI chat, by the script in its model name:
 *
 *   "bench/CHUNKS/INTERVAL_MS/FIRST_MS"
 *
 * FIRST_MS before the first byte, then (where "stream" is true) CHUNKS content chunks, the first of
 * them at once and INTERVAL_MS between them. Each chunk says when it was sent: ~CLOCK_MONOTONIC ns~.
 * GET /stats counts; any other GET says that all is well.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    char *bytes;
    size_t length, capacity;
} buffer;

typedef struct connection {
    int fd;
    buffer in, out;
    size_t sent;                        /* of `out` */
    int answering, streams, head_sent;  /* what is being answered, and how far it is */
    int chunk, chunks;
    int64_t interval_ns, due_ns;
    struct connection *previous, *next; /* all connections, for the timers */
} connection;

static int poller;
static connection all = {.previous = &all, .next = &all};
static uint64_t posts, abandoned;
static int64_t last_abandoned_ns;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void reserve(buffer *b, size_t more) {
    if (b->length + more <= b->capacity) return;
    b->capacity = (b->length + more) * 2;
    b->bytes = realloc(b->bytes, b->capacity);
    if (!b->bytes) abort();
}

static void put(buffer *b, const char *bytes, size_t length) {
    reserve(b, length);
    memcpy(b->bytes + b->length, bytes, length);
    b->length += length;
}

static void put_chunk(buffer *b, const char *text) {
    char size[24];
    put(b, size, sprintf(size, "%zx\r\n", strlen(text)));
    put(b, text, strlen(text));
    put(b, "\r\n", 2);
}

static void put_json(buffer *b, const char *json) {
    char head[160];
    put(b, head, sprintf(head,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
        strlen(json)));
    put(b, json, strlen(json));
}

static int open_answers(void) {
    int count = 0;
    for (connection *c = all.next; c != &all; c = c->next) count += c->answering;
    return count;
}

static void drop(connection *c) {
    if (c->answering) {
        abandoned++;
        last_abandoned_ns = now_ns();
    }
    c->previous->next = c->next;
    c->next->previous = c->previous;
    close(c->fd);
    free(c->in.bytes);
    free(c->out.bytes);
    free(c);
}

static void listen_for(connection *c, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

/* Hand what is written to the kernel; -1 when the connection is gone. */
static int flush(connection *c) {
    while (c->sent < c->out.length) {
        ssize_t n = send(c->fd, c->out.bytes + c->sent, c->out.length - c->sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            listen_for(c, EPOLLIN | EPOLLRDHUP | EPOLLOUT);
            return 0;
        }
        if (n < 0) return -1;
        c->sent += n;
    }
    c->sent = c->out.length = 0;
    return 0;
}

#define FRAME "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion%s\",\"created\":1767225600," \
    "\"model\":\"bench\",\"choices\":[{\"index\":0,%s}]%s}"
#define ANSWER "\"message\":{\"role\":\"assistant\",\"content\":\"The answer of the benchmark's " \
    "provider is a sentence of the usual length, with nothing else in it, so that it can be kept.\"}" \
    ",\"finish_reason\":\"stop\""
#define USAGE ",\"usage\":{\"prompt_tokens\":420,\"completion_tokens\":24,\"total_tokens\":444}"
#define STREAM_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n" \
    "Transfer-Encoding: chunked\r\n\r\n"

static void put_content_chunk(connection *c, int64_t now) {
    char choice[128], event[512];
    snprintf(choice, sizeof choice,
        "\"delta\":{%s\"content\":\"word ~%lld~ \"},\"finish_reason\":null",
        c->chunk == 0 ? "\"role\":\"assistant\"," : "", (long long)now);
    snprintf(event, sizeof event, "data: " FRAME "\n\n", ".chunk", choice, "");
    put_chunk(&c->out, event);
}

static void put_end(connection *c) {
    char event[512];
    snprintf(event, sizeof event, "data: " FRAME "\n\n", ".chunk",
        "\"delta\":{},\"finish_reason\":\"stop\"", "");
    put_chunk(&c->out, event);
    put_chunk(&c->out, "data: [DONE]\n\n");
    put(&c->out, "0\r\n\r\n", 5);
}

static void put_whole(connection *c) {
    char json[512];
    snprintf(json, sizeof json, FRAME, "", ANSWER, USAGE);
    put_json(&c->out, json);
}

/* Write what is due of the answer. */
static void advance(connection *c, int64_t now) {
    while (c->answering && c->due_ns <= now) {
        if (!c->streams) {
            put_whole(c);
            c->answering = 0;
            return;
        }
        if (!c->head_sent) put(&c->out, STREAM_HEAD, strlen(STREAM_HEAD));
        c->head_sent = 1;
        if (c->chunk < c->chunks) {
            put_content_chunk(c, now);
            c->chunk++;
            c->due_ns += c->interval_ns;
        } else {
            put_end(c);
            c->answering = 0;
        }
    }
}

static void begin_answer(connection *c, const char *body, size_t length) {
    int chunks = 0, interval_ms = 0, first_ms = 0;
    const char *script = memmem(body, length, "\"bench/", 7);
    if (script) sscanf(script, "\"bench/%d/%d/%d", &chunks, &interval_ms, &first_ms);
    posts++;
    c->answering = 1;
    c->streams = memmem(body, length, "\"stream\":true", 13) != NULL
        || memmem(body, length, "\"stream\": true", 14) != NULL;
    c->head_sent = c->chunk = 0;
    c->chunks = chunks;
    c->interval_ns = interval_ms * INT64_C(1000000);
    c->due_ns = now_ns() + first_ms * INT64_C(1000000);
}

static void answer_get(connection *c) {
    char json[160];
    if (memcmp(c->in.bytes, "GET /stats ", 11) != 0) {
        put_json(&c->out, "{\"status\":\"healthy\"}");
        return;
    }
    snprintf(json, sizeof json,
        "{\"posts\":%llu,\"abandoned\":%llu,\"last_abandoned_ns\":%lld,\"open\":%d}",
        (unsigned long long)posts, (unsigned long long)abandoned,
        (long long)last_abandoned_ns, open_answers());
    put_json(&c->out, json);
}

/* How long the request at the head of `in` is; 0 while it is incomplete. */
static size_t request_length(connection *c, size_t *head_length) {
    char *end = memmem(c->in.bytes, c->in.length, "\r\n\r\n", 4);
    if (!end) return 0;
    *head_length = end + 4 - c->in.bytes;
    *end = 0; /* so that the head is a string */
    char *length = strcasestr(c->in.bytes, "\r\ncontent-length:");
    int chunked = strcasestr(c->in.bytes, "\r\ntransfer-encoding: chunked") != NULL;
    size_t whole = *head_length + (length ? strtoul(length + 17, NULL, 10) : 0);
    *end = '\r';
    if (chunked) {
        char *last = memmem(end, c->in.bytes + c->in.length - end, "\r\n0\r\n\r\n", 7);
        return last ? (size_t)(last + 7 - c->in.bytes) : 0;
    }
    return whole <= c->in.length ? whole : 0;
}

static void take_request(connection *c) {
    size_t head = 0, whole = c->in.length ? request_length(c, &head) : 0;
    if (!whole || c->answering) return;
    if (c->in.bytes[0] == 'P') begin_answer(c, c->in.bytes + head, whole - head);
    else answer_get(c);
    memmove(c->in.bytes, c->in.bytes + whole, c->in.length - whole);
    c->in.length -= whole;
    advance(c, now_ns());
}

/* -1 when the peer has gone. */
static int receive(connection *c) {
    for (;;) {
        reserve(&c->in, 65536);
        ssize_t n = recv(c->fd, c->in.bytes + c->in.length, 65536, 0);
        if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
        if (n == 0) return -1;
        c->in.length += n;
    }
}

static void serve(connection *c, uint32_t events) {
    if (events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) {
        drop(c);
        return;
    }
    if (events & EPOLLIN) {
        if (receive(c) < 0) {
            drop(c);
            return;
        }
        take_request(c);
    }
    if (events & EPOLLOUT) listen_for(c, EPOLLIN | EPOLLRDHUP);
    if (flush(c) < 0) drop(c);
}

static void welcome(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connection *c = calloc(1, sizeof *c);
        if (!c) abort();
        c->fd = fd;
        c->next = all.next;
        c->previous = &all;
        all.next->previous = c;
        all.next = c;
        struct epoll_event e = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
    }
}

/* Send what became due; how many milliseconds until more does, -1: nothing will. */
static int run_timers(void) {
    int64_t now = now_ns(), next = INT64_MAX;
    for (connection *c = all.next, *after; c != &all; c = after) {
        after = c->next;
        if (!c->answering) continue;
        if (c->due_ns <= now) {
            advance(c, now);
            if (flush(c) < 0) {
                drop(c);
                continue;
            }
        }
        if (c->answering && c->due_ns < next) next = c->due_ns;
    }
    if (next == INT64_MAX) return -1;
    int64_t wait_ns = next - now_ns();
    return wait_ns <= 0 ? 0 : (int)((wait_ns + 999999) / 1000000);
}

static int listen_somewhere(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof where;
    if (bind(listener, (struct sockaddr *)&where, size) || listen(listener, 4096)) {
        perror("cannot listen");
        exit(1);
    }
    getsockname(listener, (struct sockaddr *)&where, &size);
    printf("%d\n", ntohs(where.sin_port));
    fflush(stdout);
    return listener;
}

int main(void) {
    signal(SIGPIPE, SIG_IGN);
    int listener = listen_somewhere();
    poller = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL}, ready[256];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int count = epoll_wait(poller, ready, 256, run_timers());
        for (int i = 0; i < count; i++) {
            if (ready[i].data.ptr) serve(ready[i].data.ptr, ready[i].events);
            else welcome(listener);
        }
    }
}
