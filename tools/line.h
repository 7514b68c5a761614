/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A line from the user: with editing and history when standard input and
 * output are terminals and libedit is installed, else as it comes.
 */
#ifndef LINE_H
#define LINE_H

/*
 * The line without its newline, to be freed; NULL at the end (or, with errno
 * EINTR, after a signal). What was pasted into an edited line may have more
 * than one. @prompt is shown on terminals only.
 */
char *line_read(const char *prompt);
/* Put it into the history, and that into its file. */
void line_remember(const char *line);

#endif
