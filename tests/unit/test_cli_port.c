/* SPDX-License-Identifier: Apache-2.0 */
/* Ports that are kept for the processes of a stack. */
#include "port.h"
#include "suite.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MANY = 64 };

static int bind_to(int port, bool reuse)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = reuse;

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
        return fd;
    ck_assert_int_eq(errno, EADDRINUSE);
    (void)close(fd);
    return -1;
}

START_TEST(nobody_gets_a_port_that_is_kept)
{
    ck_assert_int_eq(bind_to(stack_free_port(), false), -1);
}
END_TEST

START_TEST(who_is_told_the_port_can_listen_on_it_again_and_again)
{
    int port = stack_free_port();

    for (int i = 0; i < 2; i++) {
        int fd = bind_to(port, true);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(listen(fd, 1), 0);
        (void)close(fd);
    }
}
END_TEST

START_TEST(no_port_is_given_twice)
{
    int ports[MANY];

    for (int i = 0; i < MANY; i++) {
        ports[i] = stack_free_port();
        ck_assert_int_gt(ports[i], 0);
        for (int j = 0; j < i; j++)
            ck_assert_int_ne(ports[i], ports[j]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli port");
    TCase *tcase = tcase_create("port");

    suite_add_tcase(suite, tcase);
    tcase_add_test(tcase, nobody_gets_a_port_that_is_kept);
    tcase_add_test(tcase, who_is_told_the_port_can_listen_on_it_again_and_again);
    tcase_add_test(tcase, no_port_is_given_twice);
    return suite_run(suite);
}
