// Text that comes bit by bit, for users of screen readers.
import { announce } from './dom.js';

// reader gives a function that is told the text so far, and says whole sentences of it,
// what is left when ended is true.
export function reader() {
  let said = 0;
  return (text, ended = false) => {
    const rest = text.slice(said);
    const end = ended ? rest.length : rest.search(/[.!?:;\n](?=\s)[^.!?:;\n]*$/) + 1;
    if (end <= 0) return;
    announce(rest.slice(0, end));
    said += end;
  };
}
