const a = <p className="x" {...rest}>text {value} &amp; more <b/> {/* comment */}
  on the next line
</p>
const Generic = <T,>(props: { items?: T[] }) => <><List<T> items={props.items!} render={(x) => <li key={x}>{x}</li>} /></>
function View({ a, b = 1 }: Props): JSX.Element {
  return cond ? <A.B.C x={a ? b : <i>no</i>} /> : <ns:tag attr='v' />
}
const text = <a>  leading {`t${x}`} trailing  </a>, n = x < y, m = <T extends {}>(v: T) => v
export default function App() { const [s, setS] = useState<string | undefined>(undefined)
  return <div onClick={() => setS(s => s ?? 'a')}>{list.map(i => <Item {...i} />)}</div> }
