// Every flow by its name.
import { flows as behind } from './behind.js';
import { flows as buying } from './flows.js';
import { flows as layout } from './layout.js';
import { flows as nodes } from './nodes.js';
import { flows as people } from './people.js';
import { flows as storms } from './storms.js';

export const flows = { ...buying, ...layout, ...nodes, ...people, ...storms, ...behind };
