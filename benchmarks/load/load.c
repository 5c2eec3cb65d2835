/* The near side of the benchmark: many clients in one thread, each sending when it was answered.
 *
 *   load -p PORT -b BODY_FILE -c CLIENTS -s SECONDS [-w WARM_S] [-n REQUESTS_EACH]
 *        [-g SPREAD_MS] [-P PID] [-H 'Name: value']...
 *
 * Each run of twelve # in the body becomes the number of the request, each @@@@ in a header the
 * number of the client. Clients begin over SPREAD_MS, one after the other. What ends inside the
 * window of SECONDS after WARM_S is measured, with the CPU time that process PID took in it; then
 * what is under way is waited for, so that every request that began also ended.
 * Prints one line of JSON; times are microseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NUMBER "############"
#define CLIENT "@@@@"
#define MOST_FAILURES 200
#define DRAIN_NS INT64_C(15000000000)

typedef struct {
    double *values;
    size_t count, capacity;
} sample;

typedef enum { WAITING, HEAD, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, OVER } phase;

typedef struct {
    int fd, number, made;
    char *request;
    size_t length, written;
    phase at;
    char head[8192];
    size_t head_length, remaining;
    int status, saw_byte, matched_done, saw_done, line_length;
    int in_stamp;
    int64_t stamp, began_ns, starts_ns;
} client;

static struct {
    int port, clients, each, pid;
    double seconds, warm_s, spread_ms;
    const char *body_path;
    char headers[4096];
} options = {.clients = 1, .seconds = 1};

static int poller;
static int64_t window_opens, window_closes;
static uint64_t started, ended, completed, failed, refused, finished, sequence;
static sample latency, first_byte, transit;
static char first_error[200];

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static int measuring(int64_t now) { return now >= window_opens && now < window_closes; }

static void add(sample *s, double value) {
    if (s->count == s->capacity) {
        s->capacity = s->capacity ? s->capacity * 2 : 4096;
        s->values = realloc(s->values, s->capacity * sizeof *s->values);
        if (!s->values) abort();
    }
    s->values[s->count++] = value;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_sample(const char *name, sample *s) {
    qsort(s->values, s->count, sizeof *s->values, ascending);
    double p50 = 0, p99 = 0, most = 0;
    if (s->count) {
        p50 = s->values[(s->count - 1) / 2];
        p99 = s->values[(size_t)((double)(s->count - 1) * 0.99)];
        most = s->values[s->count - 1];
    }
    printf(",\"%s\":{\"count\":%zu,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f}",
        name, s->count, p50, p99, most);
}

static double cpu_ms(int pid) {
    char path[64], text[1024];
    unsigned long user, kernel;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = pid ? fopen(path, "r") : NULL;
    if (!file) return 0;
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = 0;
    char *after_name = strrchr(text, ')');
    if (!after_name || sscanf(after_name,
        ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2) return 0;
    return (double)(user + kernel) * 1000.0 / (double)sysconf(_SC_CLK_TCK);
}

static void keep_error(const char *what) {
    if (first_error[0]) return;
    snprintf(first_error, sizeof first_error, "%s", what);
    for (char *c = first_error; *c; c++)
        if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ') *c = '\'';
}

static void connect_client(client *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(options.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof to)) {
        perror("cannot connect");
        exit(1);
    }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
}

static void fill(char *text, const char *mark, uint64_t number) {
    char digits[24];
    int width = (int)strlen(mark);
    snprintf(digits, sizeof digits, "%0*llu", width, (unsigned long long)number);
    for (char *at = text; (at = strstr(at, mark)); at += width) memcpy(at, digits, width);
}

static char *load_body(size_t *length) {
    FILE *file = fopen(options.body_path, "rb");
    if (!file) {
        perror(options.body_path);
        exit(1);
    }
    char *body = calloc(1, 1 << 20);
    *length = fread(body, 1, (1 << 20) - 1, file);
    fclose(file);
    return body;
}

/* The request as text; a client sends its own copy, the numbers filled in. */
static char *template_of_request(void) {
    size_t length;
    char *body = load_body(&length), *request = NULL;
    if (asprintf(&request,
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: load/1\r\n"
        "Accept: */*\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n%s",
        options.port, options.headers, length, body) < 0) abort();
    free(body);
    return request;
}

/* Blocking: a request fits into the socket's buffer, and the one before it was answered. */
static void send_request(client *c, const char *template) {
    memcpy(c->request, template, c->length);
    fill(c->request, CLIENT, c->number);
    fill(c->request, NUMBER, ++sequence);
    c->at = HEAD;
    c->head_length = 0;
    c->saw_byte = c->saw_done = c->matched_done = c->in_stamp = 0;
    c->made++;
    started++;
    c->began_ns = now_ns();
    for (size_t sent = 0; sent < c->length;) {
        ssize_t n = send(c->fd, c->request + sent, c->length - sent, MSG_NOSIGNAL);
        if (n < 0) return; /* the reading side will say so */
        sent += n;
    }
}

static void reconnect(client *c) {
    close(c->fd);
    connect_client(c);
}

static void fail(client *c, const char *why) {
    failed++;
    ended++;
    keep_error(why);
    reconnect(c);
    c->at = WAITING;
}

static void complete(client *c, int64_t now) {
    ended++;
    c->at = WAITING;
    if (c->status / 100 != 2) {
        refused++;
        keep_error(c->head);
    }
    if (!measuring(now)) return;
    completed++;
    finished += c->saw_done;
    add(&latency, (double)(now - c->began_ns) / 1e3);
}

static void watch_stamp(client *c, char byte, int64_t now) {
    if (byte == '~') {
        if (c->in_stamp && c->stamp && measuring(now)) add(&transit, (double)(now - c->stamp) / 1e3);
        c->in_stamp = !c->in_stamp;
        c->stamp = 0;
    } else if (c->in_stamp && byte >= '0' && byte <= '9') {
        c->stamp = c->stamp * 10 + (byte - '0');
    } else {
        c->in_stamp = 0;
    }
}

static void watch_done(client *c, char byte) {
    static const char done[] = "[DONE]";
    c->matched_done = byte == done[c->matched_done] ? c->matched_done + 1 : byte == '[';
    if (c->matched_done == (int)sizeof done - 1) {
        c->saw_done = 1;
        c->matched_done = 0;
    }
}

static void payload(client *c, const char *bytes, size_t length, int64_t now) {
    if (!c->saw_byte && measuring(now)) add(&first_byte, (double)(now - c->began_ns) / 1e3);
    c->saw_byte = 1;
    for (size_t i = 0; i < length; i++) {
        watch_stamp(c, bytes[i], now);
        watch_done(c, bytes[i]);
    }
}

static void read_head(client *c, char byte) {
    if (c->head_length + 1 < sizeof c->head) c->head[c->head_length++] = byte;
    if (c->head_length < 4 || memcmp(c->head + c->head_length - 4, "\r\n\r\n", 4) != 0) return;
    c->head[c->head_length] = 0;
    c->status = c->head_length > 12 ? atoi(c->head + 9) : 0;
    char *length = strcasestr(c->head, "\r\ncontent-length:");
    c->remaining = length ? strtoul(length + 17, NULL, 10) : 0;
    c->line_length = 0;
    c->at = length ? (c->remaining ? BODY : OVER) : CHUNK_SIZE;
}

static int hex_digit(char byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* The lines of chunked framing, byte by byte (RFC 9112 section 7.1). */
static void read_framing(client *c, char byte) {
    if (c->at == CHUNK_SIZE && byte == '\n') {
        c->at = c->remaining ? CHUNK : TRAILER;
        c->line_length = 0;
    } else if (c->at == CHUNK_SIZE && hex_digit(byte) >= 0) {
        c->remaining = c->remaining * 16 + hex_digit(byte);
    } else if (c->at == CHUNK_END && byte == '\n') {
        c->at = CHUNK_SIZE;
    } else if (c->at == TRAILER && byte == '\n') {
        if (c->line_length == 0) c->at = OVER;
        c->line_length = 0;
    } else if (c->at == TRAILER && byte != '\r') {
        c->line_length++;
    }
}

static void read_reply(client *c, const char *bytes, size_t length, int64_t now) {
    while (length && c->at != OVER && c->at != WAITING) {
        size_t taken = 1;
        if (c->at == HEAD) {
            read_head(c, *bytes);
        } else if (c->at == BODY || c->at == CHUNK) {
            taken = length < c->remaining ? length : c->remaining;
            payload(c, bytes, taken, now);
            c->remaining -= taken;
            if (!c->remaining) c->at = c->at == BODY ? OVER : CHUNK_END;
        } else {
            read_framing(c, *bytes);
        }
        bytes += taken;
        length -= taken;
    }
    if (c->at == OVER) complete(c, now);
}

static void receive(client *c) {
    static char bytes[65536];
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (n > 0) read_reply(c, bytes, n, now_ns());
    else if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    else if (c->at == WAITING) reconnect(c); /* an idle connection may be closed */
    else fail(c, n ? strerror(errno) : "closed inside a reply");
}

static int may_start(client *c, int64_t now) {
    return c->at == WAITING && now >= c->starts_ns && now < window_closes
        && (!options.each || c->made < options.each);
}

static int anything_left(client *clients, int64_t now) {
    if (ended < started) return now < window_closes + DRAIN_NS;
    if (now >= window_closes || failed > MOST_FAILURES) return 0;
    for (int i = 0; i < options.clients; i++)
        if (!options.each || clients[i].made < options.each) return 1;
    return 0;
}

static client *make_clients(const char *template, int64_t now) {
    client *clients = calloc(options.clients, sizeof *clients);
    for (int i = 0; i < options.clients; i++) {
        client *c = &clients[i];
        c->number = i;
        c->length = strlen(template);
        c->request = calloc(1, c->length + 1);
        c->starts_ns = now + (int64_t)(options.spread_ms * 1e6 * i / options.clients);
        connect_client(c);
    }
    return clients;
}

static void report(double cpu, double seconds) {
    printf("{\"started\":%llu,\"completed\":%llu,\"failed\":%llu,\"refused\":%llu,"
           "\"finished\":%llu,\"seconds\":%.3f,\"cpu_ms\":%.1f",
        (unsigned long long)started, (unsigned long long)completed,
        (unsigned long long)(failed + started - ended), (unsigned long long)refused,
        (unsigned long long)finished, seconds, cpu);
    print_sample("latency_us", &latency);
    print_sample("first_byte_us", &first_byte);
    print_sample("transit_us", &transit);
    printf(",\"first_error\":\"%s\"}\n", first_error);
}

static void run(void) {
    char *template = template_of_request();
    int64_t now = now_ns(), opened = 0, closed = 0;
    double cpu = 0;
    window_opens = now + (int64_t)(options.warm_s * 1e9);
    window_closes = window_opens + (int64_t)(options.seconds * 1e9);
    client *clients = make_clients(template, now);
    struct epoll_event ready[256];
    do {
        for (int i = 0; i < options.clients; i++)
            if (may_start(&clients[i], now)) send_request(&clients[i], template);
        int count = epoll_wait(poller, ready, 256, 1);
        for (int i = 0; i < count; i++) receive(ready[i].data.ptr);
        now = now_ns();
        if (!opened && now >= window_opens) {
            opened = now;
            cpu = cpu_ms(options.pid);
        }
        if (!closed && now >= window_closes) {
            closed = now;
            cpu = cpu_ms(options.pid) - cpu;
        }
    } while (anything_left(clients, now));
    if (!closed) {
        closed = now;
        cpu = cpu_ms(options.pid) - cpu;
    }
    report(cpu, (double)(closed - opened) / 1e9);
}

int main(int count, char **arguments) {
    for (int o; (o = getopt(count, arguments, "p:b:c:s:w:n:g:P:H:")) != -1;) {
        if (o == 'p') options.port = atoi(optarg);
        else if (o == 'b') options.body_path = optarg;
        else if (o == 'c') options.clients = atoi(optarg);
        else if (o == 's') options.seconds = atof(optarg);
        else if (o == 'w') options.warm_s = atof(optarg);
        else if (o == 'n') options.each = atoi(optarg);
        else if (o == 'g') options.spread_ms = atof(optarg);
        else if (o == 'P') options.pid = atoi(optarg);
        else if (o == 'H' && strlen(options.headers) + strlen(optarg) + 3 < sizeof options.headers)
            strcat(strcat(options.headers, optarg), "\r\n");
        else return 2;
    }
    if (!options.port || !options.body_path || options.clients < 1) return 2;
    poller = epoll_create1(0);
    run();
    return 0;
}
