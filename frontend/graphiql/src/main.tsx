import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import './style.css';
import { useGraphiQL, useGraphiQLActions } from '@graphiql/react';
import { GraphiQL } from 'graphiql';
import { useEffect, useRef } from 'react';
import { createRoot } from 'react-dom/client';
import { fill, find, type Found } from './carry';
import { createFetcher, type ResultListener } from './fetcher';
import icon from './icon.svg';
import { defaultTabs } from './tabs';

const listeners = new Set<ResultListener>();
const fetcher = createFetcher(window.location, (result) => {
  // After GraphiQL has shown the answer.
  setTimeout(() => listeners.forEach((listener) => listener(result)));
});

/** Puts what an answer found (token, sale, ticket) into the tabs. Renders nothing. */
function Carrier() {
  const actions = useGraphiQLActions();
  const tabs = useGraphiQL((state) => state.tabs);
  const active = useGraphiQL((state) => state.activeTabIndex);
  const editors = {
    query: useGraphiQL((state) => state.queryEditor),
    headers: useGraphiQL((state) => state.headerEditor),
    variables: useGraphiQL((state) => state.variableEditor),
  };
  const apply = (found: Found) => {
    if (Object.keys(found).length === 0) return;
    const filled = tabs.map((tab, index) => (index === active ? tab : fill(tab, found)));
    if (filled.some((tab, index) => tab !== tabs[index])) {
      const cursor = editors.query?.getPosition();
      actions.moveTab(filled); // the public way to replace tabs; the order stays
      if (cursor) editors.query?.setPosition(cursor);
    }
    // The tab in front is in the editors, which may be ahead of the tab's own state.
    const shown = {
      headers: editors.headers?.getValue() ?? '',
      variables: editors.variables?.getValue() ?? '',
    };
    const next = fill(shown, found);
    if (next.headers !== shown.headers) editors.headers?.setValue(next.headers ?? '');
    if (next.variables !== shown.variables) editors.variables?.setValue(next.variables ?? '');
  };
  // GraphiQL shows the first tab's query but not its variables.
  const { variables } = editors;
  const seeded = useRef(false);
  useEffect(() => {
    if (!variables || seeded.current) return;
    seeded.current = true;
    const own = tabs[active]?.variables;
    if (own && variables.getValue() === '') variables.setValue(own);
  }, [variables, tabs, active]);

  const latest = useRef(apply);
  latest.current = apply;
  useEffect(() => {
    const listener: ResultListener = (result) => latest.current(find(result));
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return null;
}

const root = document.getElementById('root');
if (!root) throw new Error('index.html has no #root');
createRoot(root).render(
  <GraphiQL fetcher={fetcher} defaultTabs={defaultTabs()} defaultEditorToolsVisibility="variables">
    <GraphiQL.Logo>
      <a className="brand" href="/graphiql">
        <img src={icon} alt="" />
        doorbuster
      </a>
    </GraphiQL.Logo>
    <Carrier />
  </GraphiQL>,
);
