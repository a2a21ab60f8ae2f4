// The tabs, in the order of the page. All are loaded with it: what a browser failed to load
// once it may never load again.
import * as chat from './tabs/chat.js';
import * as candidates from './tabs/candidates.js';
import * as structured from './tabs/structured.js';
import * as compare from './tabs/compare.js';
import * as attention from './tabs/attention.js';
import * as trust from './tabs/trust.js';
import * as tokenizer from './tabs/tokenizer.js';
import * as runs from './tabs/runs.js';
import * as label from './tabs/label.js';

export const tabs = [
  { id: 'chat', title: 'Chat', mount: chat.mount },
  { id: 'candidates', title: 'Candidates', mount: candidates.mount },
  { id: 'structured', title: 'Structured', mount: structured.mount },
  { id: 'compare', title: 'Compare', mount: compare.mount },
  { id: 'attention', title: 'Attention', mount: attention.mount },
  { id: 'trust', title: 'Trust', mount: trust.mount },
  { id: 'tokenizer', title: 'Tokenizer', mount: tokenizer.mount },
  { id: 'runs', title: 'Runs', mount: runs.mount },
  { id: 'label', title: 'Label', mount: label.mount },
];
