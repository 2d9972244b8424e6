// Every flow by its name.
import { flows as emergencies } from './emergencies.js';
import { flows as everyday } from './flows.js';
import { flows as layout } from './layout.js';
import { flows as nodes } from './nodes.js';
import { flows as numbers } from './numbers.js';
import { flows as reports } from './report.js';
import { flows as settings } from './settings.js';
import { flows as staff } from './staff.js';

export const flows = { ...everyday, ...emergencies, ...nodes, ...numbers, ...reports, ...settings, ...staff, ...layout };
