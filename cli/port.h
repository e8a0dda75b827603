/* SPDX-License-Identifier: Apache-2.0 */
/* Ports for the processes of the private stack. */
#pragma once

/* A TCP port of 127.0.0.1 that the system gives to nobody else until this process
 * ends, be it for a connection or for whoever asks for any port; who is told the port
 * can listen on it, again after a restart, too. Otherwise a process of another stack
 * could have it first, and would be taken for ours. 0 when there is none. */
int stack_free_port(void);
