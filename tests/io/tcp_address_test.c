/* tests/io/tcp_address_test.c: "HOST:PORT". */
#include "io/tcp_address.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const char *parse(const char *text) {
  static char out[600];
  tm_tcp_address address;
  tm_error err = {0};
  if (tm_tcp_address_parse(text, &address, &err) < 0) {
    cr_expect_eq(err.code, TM_E_VALUE);
    return strcpy(out, err.message);
  }
  cr_expect_str_eq(address.text, text);
  snprintf(out, sizeof out, "%s|%s", address.host, address.port);
  return out;
}

Test(tcp_address, hosts_and_ports) {
  cr_expect_str_eq(parse("127.0.0.1:9000"), "127.0.0.1|9000");
  cr_expect_str_eq(parse("localhost:0"), "localhost|0");
  cr_expect_str_eq(parse("example.org:00080"), "example.org|80");
  cr_expect_str_eq(parse("[::1]:65535"), "::1|65535");
}

Test(tcp_address, what_is_none) {
  cr_expect_str_eq(parse("9000"), "'9000' is no address: it has no port");
  cr_expect_str_eq(parse(":9000"), "':9000' is no address: it has no host");
  cr_expect_str_eq(parse("a:"), "'a:' is no address: a port is a number from 0 to 65535");
  cr_expect_str_eq(parse("a:65536"), "'a:65536' is no address: a port is a number from 0 to 65535");
  cr_expect_str_eq(parse("a:-1"), "'a:-1' is no address: a port is a number from 0 to 65535");
  cr_expect_str_eq(parse("a:1 "), "'a:1 ' is no address: a port is a number from 0 to 65535");
  cr_expect_str_eq(parse("::1:90"), "'::1:90' is no address: an IPv6 address stands in brackets");
  char text[400];
  memset(text, 'a', sizeof text);
  memcpy(text + 290, ":80", 4);
  tm_tcp_address address;
  tm_error err = {0};
  cr_expect_eq(tm_tcp_address_parse(text, &address, &err), -1);
}
