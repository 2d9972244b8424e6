// A table that becomes a list of cards on narrow screens. The roles keep it a table for screen readers.
import type { ComponentChildren } from 'preact';

export interface Column<R> {
  id: string;
  title: string;
  /** Numbers stand at the end of their column. */
  numeric?: boolean;
  /** The row's own name: the card's heading. */
  head?: boolean;
  cell: (row: R) => ComponentChildren;
}

interface TableProps<R> {
  caption: string;
  columns: readonly Column<R>[];
  rows: readonly R[];
  id: (row: R) => string;
}

export function Table<R>({ caption, columns, rows, id }: TableProps<R>) {
  return (
    <table class="table" role="table">
      <caption class="unseen">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map((column) => (
            <th key={column.id} role="columnheader" scope="col" class={`col-${column.id}${column.numeric ? ' numeric' : ''}`}>
              {column.title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr key={id(row)} role="row">
            {columns.map(({ id: name, title, numeric, head, cell }) => {
              const Cell = head ? 'th' : 'td';
              return (
                <Cell
                  key={name}
                  role={head ? 'rowheader' : 'cell'}
                  scope={head ? 'row' : undefined}
                  class={`cell-${name}${numeric ? ' numeric number' : ''}`}
                  data-title={head || !title ? undefined : title}
                >
                  {cell(row)}
                </Cell>
              );
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
