/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the process as a whole. */
#pragma once

/* Gives back what only the start needed: free heap, and the pages of program and
 * libraries that can be read again from their files. For the moment when a
 * process is ready and begins to wait. */
void memory_give_back(void);
