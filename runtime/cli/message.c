/* cli/message.c: see message.h. The script's line is read again from its file; where the error
 * names a token, the token is underlined. */
#include "cli/message.h"

#include <string.h>

#include "base/env.h"

enum { LINE_MAX_BYTES = 400, LINES_BELOW_MAX = 12 };

typedef struct style { const char *error, *dim, *bold, *off; } style;

static const style plain = {"", "", "", ""};
static const style colored = {"\033[1;31m", "\033[2m", "\033[1m", "\033[0m"};

bool tm_cli_message_colored(const char *color, int file) {
  if (color != NULL && strcmp(color, "always") == 0) return true;
  if (color != NULL && strcmp(color, "never") == 0) return false;
  const char *no_color = tm_env_get()->variable("NO_COLOR");
  if (no_color != NULL && *no_color != '\0') return false;
  return tm_env_get()->is_terminal(file);
}

/* Line `wanted` of a text that comes in pieces; true once it is whole. */
typedef struct line_finder {
  int line, wanted;
  size_t size;
  char text[LINE_MAX_BYTES];
} line_finder;

static bool find_line(line_finder *f, const char *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] == '\n') {
      if (f->line == f->wanted) return true;
      f->line++;
    } else if (f->line == f->wanted && f->size + 1 < sizeof f->text) {
      f->text[f->size++] = bytes[i];
    }
  }
  return false;
}

static bool read_line(const tm_error *err, const char *text, int line, line_finder *f) {
  *f = (line_finder){.line = 1, .wanted = line};
  if (text != NULL) {
    find_line(f, text, strlen(text));
  } else {
    char block[4096];
    const tm_env *env = tm_env_get();
    int file = env->open(err->script, TM_OPEN_READ);
    if (file < 0) return false;
    int64_t got;
    while ((got = env->read(file, block, sizeof block)) > 0) {
      if (find_line(f, block, (size_t)got)) break;
    }
    env->close(file);
  }
  while (f->size > 0 && (f->text[f->size - 1] == '\r' || f->text[f->size - 1] == ' ')) f->size--;
  f->text[f->size] = '\0';
  return f->size > 0;
}

static bool is_name_byte(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The token as a word of its own; NULL: not on the line. */
static const char *find_word(const char *line, const char *token) {
  size_t size = strlen(token);
  for (const char *at = strstr(line, token); at != NULL; at = strstr(at + 1, token)) {
    bool begins = at == line || !is_name_byte(at[-1]);
    if (begins && !is_name_byte(at[size])) return at;
  }
  return NULL;
}

/* The token as a word, else anywhere; where the line lacks it, in the lines below: a call's long
 * schema may begin there. `f` becomes the line that has it. */
static const char *find_token(const tm_error *err, const char *text, line_finder *f) {
  if (err->token[0] == '\0') return NULL;
  const char *at = find_word(f->text, err->token);
  if (at == NULL) at = strstr(f->text, err->token);
  line_finder below;
  for (int i = 1; at == NULL && i < LINES_BELOW_MAX; i++) {
    if (!read_line(err, text, err->script_line + i, &below)) continue;
    if (find_word(below.text, err->token) == NULL) continue;
    *f = below;
    at = find_word(f->text, err->token);
  }
  return at;
}

static void print_source(const tm_error *err, const char *text, const style *s) {
  line_finder f;
  if (err->script_line <= 0 || !read_line(err, text, err->script_line, &f)) return;
  fprintf(stderr, "%s%4d |%s %s\n", s->dim, err->script_line, s->off, f.text);
  const char *at = find_token(err, text, &f);
  if (at == NULL) {
    if (err->note[0] != '\0') fprintf(stderr, "%s     |%s %s\n", s->dim, s->off, err->note);
    return;
  }
  if (f.wanted > err->script_line + 1) fprintf(stderr, "%s     | …%s\n", s->dim, s->off);
  if (f.wanted != err->script_line) {
    fprintf(stderr, "%s%4d |%s %s\n", s->dim, f.wanted, s->off, f.text);
  }
  fprintf(stderr, "%s     |%s ", s->dim, s->off);
  for (const char *c = f.text; c < at; c++) {
    if (((unsigned char)*c & 0xc0) != 0x80) fputc(*c == '\t' ? '\t' : ' ', stderr);
  }
  fputs(s->error, stderr);
  for (size_t i = 0; i < strlen(err->token); i++) fputc('^', stderr);
  fprintf(stderr, "%s%s%s\n", s->off, err->note[0] != '\0' ? " " : "", err->note);
}

/* Further lines of a help text stand below its first. */
static void print_part(const char *label, const char *text, const style *s) {
  const char *end;
  fprintf(stderr, "%s  %-8s%s", s->dim, label, s->off);
  while ((end = strchr(text, '\n')) != NULL) {
    fprintf(stderr, "%.*s\n          ", (int)(end - text), text);
    text = end + 1;
  }
  fprintf(stderr, "%s\n", text);
}

static const char *kept_of(const tm_error *err) {
  if (err->kept[0] != '\0') return err->kept;
  int status = tm_error_exit(err->code);
  if (status == 2) return "nothing was run";
  if (status == 3) return "no output was published; refused rows that have an endpoint were";
  return "nothing was published; outputs are as they were";
}

void tm_cli_message_print(const tm_error *err, const char *color, const char *text) {
  const style *s = tm_cli_message_colored(color, 2) ? &colored : &plain;
  fprintf(stderr, "%serror[E%d]%s%s: %s%s\n", s->error, err->code, s->off, s->bold, err->message,
          s->off);
  if (err->script[0] != '\0') {
    fprintf(stderr, "%s  -->%s %s", s->dim, s->off, err->script);
    if (err->script_line > 0) fprintf(stderr, ":%d", err->script_line);
    if (err->step[0] != '\0') fprintf(stderr, " in step '%s'", err->step);
    fputc('\n', stderr);
    print_source(err, text, s);
  } else if (err->note[0] != '\0') {
    fprintf(stderr, "  %s\n", err->note);
  }
  if (err->record_file[0] != '\0' || err->record[0] != '\0') {
    char where[900];
    int used = snprintf(where, sizeof where, "%s", err->record_file);
    if (err->record_line > 0) {
      used += snprintf(where + used, sizeof where - (size_t)used, " line %llu",
                       (unsigned long long)err->record_line);
    }
    snprintf(where + used, sizeof where - (size_t)used, "%s%s", used > 0 ? "  " : "", err->record);
    for (char *c = where; *c != '\0'; c++) {
      if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = ' ';
    }
    print_part("record:", where, s);
  }
  if (err->help[0] != '\0') print_part("help:", err->help, s);
  if (tm_error_exit(err->code) == 2 && err->kept[0] == '\0') {
    fprintf(stderr, "  nothing was run\n");
  } else {
    print_part("kept:", kept_of(err), s);
  }
}
